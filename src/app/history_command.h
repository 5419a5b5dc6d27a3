#pragma once

#include <cstdint>
#include <string>

namespace muster {

/// `muster history export`.
struct HistoryExportOptions {
    std::string data_directory = "muster-data";
    bool csv = false;  ///< else NDJSON
    bool transitions = false;
    std::string device;
    std::string region;
    std::string from = "0";
    std::string to;   ///< empty: now
    std::string out;  ///< empty: standard output
    bool quiet = false;
};

/// `muster history verify`.
struct HistoryVerifyOptions {
    std::string data_directory = "muster-data";
    bool quiet = false;
};

/// Both ask the `muster serve` that has the data directory, through its API: what is not yet in files is there too, and
/// nothing is opened twice (docs/decisions/0036-history-commands.md). They print what they did on standard error and
/// return the exit code: 0, or 1 with one sentence. A file that could not be written whole is removed.
[[nodiscard]] int run_history_export(const HistoryExportOptions& options);
/// 1 also when something stored is damaged.
[[nodiscard]] int run_history_verify(const HistoryVerifyOptions& options);

}  // namespace muster
