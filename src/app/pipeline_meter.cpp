#include "app/pipeline_meter.h"

#include <algorithm>

namespace muster {
namespace {

constexpr Millis window{10'000};
constexpr Millis spacing{1'000};
constexpr Millis ticks_apart_max{3'000};  ///< gateways tick once a second

}  // namespace

void PipelineMeter::measure(const ProcessorProgress& progress, PipelineHealth& health) {
    const Reading now{clock_.monotonic(), progress.records, progress.bytes};
    const std::lock_guard lock(mutex_);
    while (readings_.size() > 1 && now.at - readings_[1].at >= window) {
        readings_.pop_front();
    }
    if (readings_.empty() || now.at - readings_.back().at >= spacing) {
        readings_.push_back(now);
    }
    const Reading& oldest = readings_.front();
    if (now.at > oldest.at) {
        const double seconds = static_cast<double>((now.at - oldest.at).count()) / 1000.0;
        health.records_per_s = static_cast<double>(now.records - oldest.records) / seconds;
        health.bytes_per_s = static_cast<double>(now.bytes - oldest.bytes) / seconds;
    }
    if (progress.newest != newest_) {
        newest_ = progress.newest;
        newest_since_ = now.at;
    }
    const Millis standing = now.at - newest_since_;
    health.newest = standing > ticks_apart_max ? std::min(newest_, clock_.now() - standing) : newest_;
}

}  // namespace muster
