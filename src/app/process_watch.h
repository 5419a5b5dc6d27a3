#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "api/pipeline_health.h"
#include "app/pipeline_meter.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "bus/bus.h"
#include "contract/process_report.h"

namespace muster {

/// What a cluster's processes say of themselves on muster.processes, as the API's pipeline health. A process that has
/// not been heard for silent_after is left out; how far the pipeline has come is what its slowest live processor says,
/// and stays where it was when there is none. At most processes_max, the longest silent goes first.
class ProcessWatch final {
 public:
    static constexpr Millis silent_after{10'000};
    static constexpr std::size_t processes_max = 1'000;

    [[nodiscard]] static Result<std::unique_ptr<ProcessWatch>> start(Bus& bus, const Clock& clock,
                                                                     MetricRegistry& metrics);
    ~ProcessWatch();
    ProcessWatch(const ProcessWatch&) = delete;
    ProcessWatch& operator=(const ProcessWatch&) = delete;

    /// Any thread.
    [[nodiscard]] PipelineHealth health();

 private:
    struct Heard {
        ProcessReport report;
        Millis at{0};  ///< when it arrived, monotonic
    };

    ProcessWatch(std::unique_ptr<Consumer> consumer, const Clock& clock, MetricRegistry& metrics);
    void run();
    void on_record(const ConsumerRecord& record);
    void count(const ProcessReport& before, const ProcessReport& now);

    const std::unique_ptr<Consumer> consumer_;
    const Clock& clock_;
    Counter& malformed_;
    Gauge& live_;
    PipelineMeter meter_;
    std::mutex mutex_;
    std::map<std::string, Heard> processes_;  ///< by record key; under mutex_, as the next three
    std::uint64_t records_ = 0;               ///< of all processors together, since this watch began
    std::uint64_t bytes_ = 0;
    Timestamp newest_{};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace muster
