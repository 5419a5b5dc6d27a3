#include "bus/embedded_bus.h"

#include <algorithm>

#include "bus/embedded_committer.h"
#include "bus/embedded_consumer.h"
#include "bus/embedded_group.h"
#include "bus/embedded_log.h"
#include "bus/embedded_producer.h"
#include "bus/embedded_topic.h"
#include "bus/record_check.h"

namespace muster {
namespace {

constexpr Millis commit_interval_max{10};  // G2

}  // namespace

EmbeddedBus::EmbeddedBus(EmbeddedBusOptions options, MetricRegistry& metrics)
    : options_(std::move(options)), metrics_(metrics) {}

EmbeddedBus::~EmbeddedBus() = default;

Result<std::unique_ptr<EmbeddedBus>> EmbeddedBus::open(EmbeddedBusOptions options, MetricRegistry& metrics) {
    if (options.partitions < 1 || options.partitions > bus_partitions_max) {
        return fail(ErrorCode::invalid_argument, "the number of partitions must be 1 to 1024",
                    std::to_string(options.partitions));
    }
    if (options.commit_interval < Millis(1) || options.commit_interval > commit_interval_max) {
        return fail(ErrorCode::invalid_argument, "the bus commit interval must be 1 to 10 ms",
                    std::to_string(options.commit_interval.count()));
    }
    auto log = EmbeddedLog::open(options.directory, options.partitions, metrics, options.env);
    if (!log) {
        return tl::unexpected(log.error());
    }
    std::unique_ptr<EmbeddedBus> bus(new EmbeddedBus(std::move(options), metrics));
    bus->log_ = std::move(*log);
    bus->committer_ = std::make_unique<EmbeddedCommitter>(*bus->log_, bus->options_.commit_interval, metrics);
    return bus;
}

Result<TopicId> EmbeddedBus::open_topic(const TopicSpec& spec) {
    if (auto checked = check_topic_name(spec.name); !checked) {
        return tl::unexpected(checked.error());
    }
    const std::lock_guard lock(mutex_);
    if (const EmbeddedTopic* open = find_topic(spec.name); open != nullptr) {
        if (open->spec().cleanup != spec.cleanup) {
            return fail(ErrorCode::conflict, "a topic cannot change between bounded and compacted", spec.name);
        }
        return open->id();
    }
    if (topics_.size() == bus_topics_max) {
        return fail(ErrorCode::too_large, "more than 1024 topics", spec.name);
    }
    auto stored = log_->open_topic(spec);
    if (!stored) {
        return tl::unexpected(stored.error());
    }
    const auto id = static_cast<TopicId>(topics_.size());
    topics_.push_back(
        std::make_unique<EmbeddedTopic>(spec, id, std::move(*stored), options_.tail_bytes_max, *log_, metrics_));
    return id;
}

std::unique_ptr<Producer> EmbeddedBus::producer(ProducerOptions options) {
    return std::make_unique<EmbeddedProducer>(
        std::move(options), *committer_, [this](TopicId id) { return topic(id); }, metrics_);
}

Result<std::unique_ptr<Consumer>> EmbeddedBus::consumer(ConsumerOptions options) {
    if (auto checked = check_partitions(options, options_.partitions); !checked) {
        return tl::unexpected(checked.error());
    }
    std::vector<EmbeddedTopic*> topics;
    std::shared_ptr<ConsumerGroup> group_of_options;
    {
        const std::lock_guard lock(mutex_);
        for (const std::string& name : options.topics) {
            EmbeddedTopic* found = find_topic(name);
            if (found == nullptr) {
                return fail(ErrorCode::not_found, "no such topic", name);
            }
            if (std::ranges::find(topics, found) == topics.end()) {
                topics.push_back(found);
            }
        }
        if (!options.group.empty()) {
            group_of_options = group(options.group);
        }
    }
    const EmbeddedConsumer::Places places{*log_, *committer_, metrics_};
    return std::make_unique<EmbeddedConsumer>(std::move(options), std::move(topics), std::move(group_of_options),
                                              places);
}

EmbeddedTopic* EmbeddedBus::topic(TopicId id) {
    const std::lock_guard lock(mutex_);
    return id < topics_.size() ? topics_[id].get() : nullptr;
}

EmbeddedTopic* EmbeddedBus::find_topic(const std::string& name) {
    const auto found = std::ranges::find_if(topics_, [&name](const auto& topic) { return topic->name() == name; });
    return found == topics_.end() ? nullptr : found->get();
}

std::shared_ptr<ConsumerGroup> EmbeddedBus::group(const std::string& name) {
    auto& group = groups_[name];
    if (group == nullptr) {
        group = std::make_shared<ConsumerGroup>();
    }
    return group;
}

}  // namespace muster
