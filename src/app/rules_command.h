#pragma once

#include <string>

namespace muster {

/// `muster rules test`.
struct RulesTestOptions {
    std::string file;
    std::string data_directory = "muster-data";
    std::string since = "7d";
};

/// Prints what the rules of a file would have raised on the presence history of the running `muster serve` that has the
/// data directory. Returns the exit code: 0, or 1 with one sentence.
[[nodiscard]] int run_rules_test(const RulesTestOptions& options);

}  // namespace muster
