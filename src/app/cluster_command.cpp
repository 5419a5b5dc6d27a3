#include "app/cluster_command.h"

#include <algorithm>

#include <fmt/format.h>

#include "app/process.h"
#include "base/metrics.h"
#include "bus/kafka_topics.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"

namespace muster {
namespace {

constexpr Partition new_cluster_partitions = 16;

int complain(const ClusterOptions& options, const Error& error) {
    fmt::print(stderr, "muster cluster {}: {}\n", options.check_only ? "check" : "init", error.message());
    return 1;
}

/// What becomes of the topics, one line each.
class TopicReport final {
 public:
    TopicReport(KafkaTopics& topics, const ClusterOptions& options, Partition partitions)
        : topics_(topics), options_(options), partitions_(partitions) {}

    Result<void> look_at(const TopicSpec& spec) {
        const auto found = topics_.find(spec);
        if (!found) {
            return tl::unexpected(found.error());
        }
        if (!*found) {
            return options_.check_only ? missing(spec) : create(spec);
        }
        const auto differences = topics_.compare(spec, partitions_, **found);
        if (differences.empty()) {
            say(spec, "already so");
            return {};
        }
        different_ = true;
        for (const KafkaTopicDifference& one : differences) {
            broken_ = broken_ || one.breaks;
            say(spec, fmt::format("{} is {}, not {}{}", one.setting, one.found, one.wanted,
                                  one.breaks ? ": Muster cannot run on it" : ""));
        }
        return {};
    }
    [[nodiscard]] bool different() const { return different_; }
    [[nodiscard]] bool broken() const { return broken_; }

 private:
    Result<void> missing(const TopicSpec& spec) {
        different_ = true;
        say(spec, "missing");
        return {};
    }
    Result<void> create(const TopicSpec& spec) {
        if (auto created = topics_.create(spec, partitions_); !created) {
            return created;
        }
        say(spec, spec.cleanup == TopicSpec::Cleanup::compacted
                      ? "created, compacted"
                      : fmt::format("created, kept for {} h or {} MiB", spec.retention / std::chrono::hours(1),
                                    spec.retention_bytes >> 20U));
        return {};
    }
    void say(const TopicSpec& spec, std::string_view what) const {
        fmt::print("  {:<20} {}\n", options_.kafka.prefix + spec.name, what);
    }

    KafkaTopics& topics_;
    const ClusterOptions& options_;
    const Partition partitions_;
    bool different_ = false;
    bool broken_ = false;
};

/// Of topics that are made now: what the administrator says, else what is there.
Result<Partition> partitions_for(KafkaTopics& topics, const ClusterOptions& options) {
    if (options.partitions != 0) {
        return options.partitions;
    }
    const auto found = topics.partitions_of(bus_topics::events);
    if (!found) {
        return tl::unexpected(found.error());
    }
    return found->value_or(new_cluster_partitions);
}

}  // namespace

Result<KafkaBusOptions> kafka_bus_options(const KafkaConnectionOptions& options) {
    KafkaBusOptions result;
    result.brokers = options.brokers;
    result.prefix = options.prefix;
    for (const std::string& setting : options.settings) {
        const auto equals = setting.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(ErrorCode::invalid_argument, "a setting of Kafka's client is written name=value", setting);
        }
        result.connection.insert_or_assign(setting.substr(0, equals), setting.substr(equals + 1));
    }
    return result;
}

int run_cluster(const ClusterOptions& options) {
    release_signals();
    MetricRegistry metrics;
    auto bus = kafka_bus_options(options.kafka);
    if (!bus) {
        return complain(options, bus.error());
    }
    bus->replication = options.replication;
    const auto topics = KafkaTopics::connect(*bus, metrics);
    if (!topics) {
        return complain(options, topics.error());
    }
    const auto partitions = partitions_for(**topics, options);
    if (!partitions) {
        return complain(options, partitions.error());
    }
    fmt::print("Muster's topics on {} ({} broker{}): {} partitions, {} cop{} each\n", options.kafka.brokers,
               (*topics)->brokers(), (*topics)->brokers() == 1 ? "" : "s", *partitions, options.replication,
               options.replication == 1 ? "y" : "ies");
    TopicReport report(**topics, options, *partitions);
    for (const TopicSpec& spec : standard_topics(options.events_bytes_max)) {
        if (auto looked = report.look_at(spec); !looked) {
            return complain(options, looked.error());
        }
    }
    if (report.broken()) {
        return complain(options, {ErrorCode::conflict,
                                  "some topics cannot be used as they are: delete them, or take another --kafka-prefix",
                                  {}});
    }
    if (!report.different()) {
        fmt::print("All as Muster wants it.\n");
        return 0;
    }
    fmt::print("{}\n", options.check_only ? "`muster cluster init` makes what is missing; settings are changed with "
                                            "Kafka's own tools (kafka-configs.sh)."
                                          : "What is different was left as it is.");
    return options.check_only ? 1 : 0;
}

}  // namespace muster
