#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "history/history_store.h"

namespace muster {

/// The names as rows store them, each a length byte and text, are those of `metrics` in this order. There are as many.
[[nodiscard]] bool are_names_of(const char* names, MetricValues metrics);

/// Gives the names of metrics that came lately a number, so that a device's rows need not be asked for the names in
/// their bytes, which are seldom in a cache. A fleet has few sets of names. Owned by a lane, whose lock is held;
/// bounded by known_shapes_max.
class KnownShapes final {
 public:
    /// Never 0, and never the number of other names, even after these have been forgotten.
    [[nodiscard]] std::uint64_t number_of(MetricValues metrics);

    static constexpr std::size_t known_shapes_max = 16;

 private:
    struct Known {
        std::uint64_t number = 0;
        std::size_t metrics = 0;
        std::string names;
    };

    std::vector<Known> known_;
    std::size_t last_ = 0;  ///< found
    std::uint64_t numbers_ = 0;
};

}  // namespace muster
