#include "bus/kafka_bus.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "bus/kafka_consumer.h"
#include "bus/kafka_producer.h"
#include "bus/kafka_topic.h"
#include "bus/kafka_topics.h"
#include "bus/record_check.h"
#include "contract/bus_topics.h"

namespace muster {

KafkaBus::KafkaBus(KafkaBusOptions options, MetricRegistry& metrics)
    : options_(std::move(options)), metrics_(metrics) {}

KafkaBus::~KafkaBus() = default;

Result<std::unique_ptr<KafkaBus>> KafkaBus::open(KafkaBusOptions options, MetricRegistry& metrics) {
    auto kafka = KafkaTopics::connect(options, metrics);
    if (!kafka) {
        return tl::unexpected(kafka.error());
    }
    if (options.partitions == 0 || options.replication == 0) {
        const auto found = (*kafka)->shape_of(bus_topics::events);
        if (!found) {
            return tl::unexpected(found.error());
        }
        if (!*found && options.partitions == 0) {
            return fail(ErrorCode::not_found, "the Kafka cluster has none of Muster's topics yet",
                        fmt::format("run `muster cluster init --kafka {}` once", options.brokers));
        }
        const KafkaTopicShape shape = found->value_or(KafkaTopicShape{0, 1});
        options.partitions = options.partitions == 0 ? shape.partitions : options.partitions;
        options.replication = options.replication == 0 ? shape.replication : options.replication;
    }
    if (options.partitions <= 0) {
        return fail(ErrorCode::unavailable, "Kafka does not say how many partitions Muster's topics have");
    }
    std::unique_ptr<KafkaBus> bus(new KafkaBus(std::move(options), metrics));
    bus->kafka_ = std::move(*kafka);
    return bus;
}

Result<TopicId> KafkaBus::open_topic(const TopicSpec& spec) {
    if (auto checked = check_topic_name(spec.name); !checked) {
        return tl::unexpected(checked.error());
    }
    const std::lock_guard lock(mutex_);
    if (const KafkaTopic* open = find_topic(spec.name); open != nullptr) {
        if (open->spec.cleanup != spec.cleanup) {
            return fail(ErrorCode::conflict, "a topic cannot change between bounded and compacted", spec.name);
        }
        return open->id;
    }
    if (topics_.size() == bus_topics_max) {
        return fail(ErrorCode::too_large, "more than 1024 topics", spec.name);
    }
    if (auto made = make_or_check(spec); !made) {
        return tl::unexpected(made.error());
    }
    const auto id = static_cast<TopicId>(topics_.size());
    topics_.push_back(std::make_unique<KafkaTopic>(spec, id, options_.prefix, metrics_));
    return id;
}

Result<void> KafkaBus::make_or_check(const TopicSpec& spec) {
    const KafkaTopicShape shape{options_.partitions, options_.replication};
    auto found = kafka_->find(spec);
    if (found && !*found) {
        auto made = kafka_->create(spec, shape);
        if (made || made.error().code != ErrorCode::conflict) {
            return made;
        }
        found = kafka_->find(spec);  // another process was first
    }
    if (!found) {
        return tl::unexpected(found.error());
    }
    if (!*found) {
        return fail(ErrorCode::unavailable, "Kafka has a topic and does not show it", spec.name);
    }
    const auto differences = KafkaTopics::compare(spec, shape, **found);
    if (std::ranges::any_of(differences, [](const KafkaTopicDifference& one) { return one.breaks; })) {
        return fail(ErrorCode::conflict, "Muster cannot use a topic of the Kafka cluster as it is",
                    describe(options_.prefix + spec.name, differences));
    }
    if (!differences.empty()) {
        spdlog::warn("kafka: {} (`muster cluster check` lists all)",
                     describe(options_.prefix + spec.name, differences));
    }
    return {};
}

std::unique_ptr<Producer> KafkaBus::producer(ProducerOptions options) {
    return std::make_unique<KafkaProducer>(
        std::move(options), options_, [this](TopicId id) { return topic(id); }, metrics_);
}

Result<std::unique_ptr<Consumer>> KafkaBus::consumer(ConsumerOptions options) {
    std::vector<const KafkaTopic*> topics;
    {
        const std::lock_guard lock(mutex_);
        for (const std::string& name : options.topics) {
            const KafkaTopic* found = find_topic(name);
            if (found == nullptr) {
                return fail(ErrorCode::not_found, "no such topic", name);
            }
            if (std::ranges::find(topics, found) == topics.end()) {
                topics.push_back(found);
            }
        }
    }
    return KafkaConsumer::make(std::move(options), std::move(topics), options_, metrics_);
}

KafkaTopic* KafkaBus::topic(TopicId id) {
    const std::lock_guard lock(mutex_);
    return id < topics_.size() ? topics_[id].get() : nullptr;
}

KafkaTopic* KafkaBus::find_topic(const std::string& name) {
    const auto found = std::ranges::find_if(topics_, [&name](const auto& topic) { return topic->spec.name == name; });
    return found == topics_.end() ? nullptr : found->get();
}

}  // namespace muster
