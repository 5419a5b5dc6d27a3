#include "base/metrics.h"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace muster {

/// One on_render callback; the lock makes dropping the handle wait for a call under way.
struct MetricRegistry::Refresher {
    std::mutex mutex;
    std::function<void()> refresh;
};

MetricRegistry::MetricRegistry() : registry_(std::make_shared<prometheus::Registry>()) {}
MetricRegistry::~MetricRegistry() = default;

Counter& MetricRegistry::counter(const std::string& name, const std::string& help, const Labels& labels) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(*registry_).Add(labels);
}

Gauge& MetricRegistry::gauge(const std::string& name, const std::string& help, const Labels& labels) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add(labels);
}

Histogram& MetricRegistry::histogram(const std::string& name, const std::string& help,
                                     const std::vector<double>& buckets, const Labels& labels) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(*registry_).Add(labels, buckets);
}

std::shared_ptr<void> MetricRegistry::on_render(std::function<void()> refresh) {
    auto refresher = std::make_shared<Refresher>();
    refresher->refresh = std::move(refresh);
    const std::lock_guard lock(mutex_);
    refreshers_.push_back(refresher);
    // The handle empties the callback under its lock, so that nobody is called after the handle is gone.
    return {refresher.get(), [refresher](void*) {
                const std::lock_guard inner(refresher->mutex);
                refresher->refresh = nullptr;
            }};
}

std::string MetricRegistry::render() const {
    std::vector<std::shared_ptr<Refresher>> live;
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(refreshers_, [](const auto& weak) { return weak.expired(); });
        for (const auto& weak : refreshers_) {
            if (auto refresher = weak.lock()) {
                live.push_back(std::move(refresher));
            }
        }
    }
    for (const auto& refresher : live) {
        const std::lock_guard lock(refresher->mutex);
        if (refresher->refresh) {
            refresher->refresh();
        }
    }
    return prometheus::TextSerializer().Serialize(registry_->Collect());
}

}  // namespace muster
