#pragma once

#include <cstdint>
#include <deque>
#include <mutex>

#include "api/pipeline_health.h"
#include "base/time.h"
#include "processor/processor.h"

namespace muster {

/// Turns the processor's counts into rates over the last ten seconds, for the API. Any thread; bounded by one entry a
/// second.
class PipelineMeter final {
 public:
    explicit PipelineMeter(const Clock& clock) : clock_(clock) {}

    /// Fills the rates and the newest time of `health`.
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
};

}  // namespace muster
