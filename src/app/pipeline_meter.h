#pragma once

#include <cstdint>
#include <deque>
#include <mutex>

#include "api/pipeline_health.h"
#include "base/time.h"
#include "processor/processor.h"

namespace muster {

/// Turns the processor's counts into rates over the last ten seconds, for the API, and tells a pipeline that stands
/// from one that goes on. Any thread; bounded by one entry a second.
class PipelineMeter final {
 public:
    explicit PipelineMeter(const Clock& clock) : clock_(clock) {}

    /// Fills the rates and the newest time of `health`. A newest time that stands is no newer than when it came to
    /// stand, by this process's clock: the clock of a gateway that runs ahead must not hide that nothing moves.
    void measure(const ProcessorProgress& progress, PipelineHealth& health);

 private:
    struct Reading {
        Millis at{0};
        std::uint64_t records = 0;
        std::uint64_t bytes = 0;
    };

    const Clock& clock_;
    std::mutex mutex_;
    std::deque<Reading> readings_;
    Timestamp newest_{};      ///< as it was last told
    Millis newest_since_{0};  ///< when that was first seen
};

}  // namespace muster
