#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/time.h"

namespace muster {

/// The time of region reports: every partition reports once a second by its own time; the furthest partition's steps,
/// each at most report_step_ms_max, are what elapses, however late and in what bursts the others are read. So time in
/// which nothing was reported does not count, and a jump of a wall clock decides nothing. One thread.
class ReportClock final {
 public:
    static constexpr std::int64_t report_step_ms_max = 2000;

    void on_report(std::int32_t partition, Timestamp time);

    /// For durations: only grows.
    [[nodiscard]] std::int64_t elapsed_ms() const { return elapsed_ms_; }
    /// For what is shown and sent: the newest that was reported, so never in a receiver's future, and never back.
    [[nodiscard]] Timestamp time() const { return time_; }

 private:
    struct Partition {
        Timestamp reported{};
        std::int64_t at_ms = 0;  ///< of elapsed time
    };

    std::unordered_map<std::int32_t, Partition> partitions_;
    std::int64_t elapsed_ms_ = 0;
    std::int64_t lead_ms_ = 0;  ///< these two: of the furthest partition's last report
    Timestamp led_{};
    Timestamp time_{};
};

}  // namespace muster
