#include "bus/kafka_topics.h"

#include <algorithm>
#include <array>
#include <thread>

#include <fmt/format.h>

namespace muster {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// A broker that is busy takes its time over the files of many partitions.
constexpr Millis topic_making_max{60'000};
constexpr std::string_view cleanup_policy = "cleanup.policy";
constexpr std::string_view retention_bytes = "retention.bytes";
constexpr std::string_view retention_ms = "retention.ms";
constexpr std::string_view message_bytes = "max.message.bytes";
constexpr std::string_view replicas_min = "min.insync.replicas";
constexpr std::string_view segment_bytes = "segment.bytes";

/// Kafka drops, and compacts, whole segments that are closed: so many make up what is kept of a partition.
constexpr std::uint64_t segments_kept = 8;
constexpr std::uint64_t segment_bytes_min = 2U << 20U;
constexpr std::uint64_t segment_bytes_max = 512U << 20U;
/// What a reader of the whole topic reads again at most, a partition.
constexpr std::uint64_t compacted_segment_bytes = 16U << 20U;

constexpr Millis look_again{50};

std::string full_name(const KafkaBusOptions& options, std::string_view topic) {
    return options.prefix + std::string(topic);
}

}  // namespace

std::string describe(std::string_view topic, const std::vector<KafkaTopicDifference>& differences) {
    std::string text(topic);
    std::string_view separator = ": ";
    for (const KafkaTopicDifference& one : differences) {
        text += fmt::format("{}{} is {}, not {}", separator, one.setting, one.found, one.wanted);
        separator = "; ";
    }
    return text;
}

std::map<std::string, std::string> KafkaTopics::settings_of(const TopicSpec& spec, const KafkaTopicShape& shape) {
    std::map<std::string, std::string> settings;
    const auto set = [&settings](std::string_view name, const auto& value) {
        settings.emplace(name, fmt::format("{}", value));
    };
    set(message_bytes, kafka_message_bytes_max);
    // With three copies a record counts as durable on two, so that one broker may be away.
    set(replicas_min, std::max(1, shape.replication - 1));
    if (spec.cleanup == TopicSpec::Cleanup::compacted) {
        set(cleanup_policy, "compact");
        set(segment_bytes, compacted_segment_bytes);
        return settings;
    }
    const std::uint64_t bytes =
        std::max<std::uint64_t>(1, spec.retention_bytes / static_cast<std::uint64_t>(shape.partitions));
    set(cleanup_policy, "delete");
    set(retention_bytes, bytes);
    set(retention_ms, std::chrono::duration_cast<Millis>(spec.retention).count());
    set(segment_bytes, std::clamp(bytes / segments_kept, segment_bytes_min, segment_bytes_max));
    return settings;
}

KafkaTopics::KafkaTopics(KafkaBusOptions options, MetricRegistry& metrics)
    : options_(std::move(options)), log_("admin", metrics) {}

Result<std::unique_ptr<KafkaTopics>> KafkaTopics::connect(const KafkaBusOptions& options, MetricRegistry& metrics) {
    if (auto checked = check(options); !checked) {
        return tl::unexpected(checked.error());
    }
    std::unique_ptr<KafkaTopics> topics(new KafkaTopics(options, metrics));
    // A consumer's client: asked for a topic that is not there it does not make one.
    auto client = KafkaSettings(options, "admin", topics->log_).make(RD_KAFKA_CONSUMER);
    if (!client) {
        return tl::unexpected(client.error());
    }
    topics->client_ = std::move(*client);
    if (auto reached = topics->reach(); !reached) {
        return tl::unexpected(reached.error());
    }
    return topics;
}

Result<void> KafkaTopics::reach() {
    const rd_kafka_metadata_t* answer = nullptr;
    const auto error =
        rd_kafka_metadata(client_.get(), 0, nullptr, &answer, static_cast<int>(options_.connect_timeout.count()));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const std::string words = log_.newest_error();
        return fail(ErrorCode::unavailable, "cannot reach Kafka",
                    fmt::format("{} ({}). Is a broker running there, and does it advertise an address that this "
                                "machine can reach? `tools/kafka.sh run` starts one on this machine",
                                options_.brokers, words.empty() ? rd_kafka_err2str(error) : words));
    }
    const KafkaOwned<const rd_kafka_metadata_t> metadata(answer);
    brokers_ = metadata->broker_cnt;
    return {};
}

/// The cluster's answer on one topic, which it holds also when there is none.
Result<KafkaOwned<const rd_kafka_metadata_t>> KafkaTopics::look_up(const std::string& name) {
    const KafkaOwned<rd_kafka_topic_t> topic(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr));
    const rd_kafka_metadata_t* answer = nullptr;
    const auto error =
        rd_kafka_metadata(client_.get(), 0, topic.get(), &answer, static_cast<int>(options_.request_timeout.count()));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failure("Kafka does not say whether there is a topic", error, name);
    }
    return KafkaOwned<const rd_kafka_metadata_t>(answer);
}

Result<std::optional<KafkaTopicShape>> KafkaTopics::shape_of(std::string_view topic) {
    const std::string name = full_name(options_, topic);
    const auto metadata = look_up(name);
    if (!metadata) {
        return tl::unexpected(metadata.error());
    }
    if ((*metadata)->topic_cnt != 1 || (*metadata)->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        return std::nullopt;
    }
    const rd_kafka_metadata_topic& found = (*metadata)->topics[0];
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failure("Kafka does not say how a topic is", found.err, name);
    }
    return KafkaTopicShape{found.partition_cnt, found.partition_cnt > 0 ? found.partitions[0].replica_cnt : 0};
}

Result<KafkaOwned<rd_kafka_event_t>> KafkaTopics::ask(
    rd_kafka_admin_op_t what, const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send) {
    const KafkaOwned<rd_kafka_AdminOptions_t> how(rd_kafka_AdminOptions_new(client_.get(), what));
    const bool makes = what == RD_KAFKA_ADMIN_OP_CREATETOPICS;
    const Millis patience = makes ? std::max(topic_making_max, options_.request_timeout) : options_.request_timeout;
    const int timeout = static_cast<int>(patience.count());
    std::array<char, 256> words{};
    (void)rd_kafka_AdminOptions_set_request_timeout(how.get(), timeout, words.data(), words.size());
    if (makes) {
        (void)rd_kafka_AdminOptions_set_operation_timeout(how.get(), timeout, words.data(), words.size());
    }
    const KafkaOwned<rd_kafka_queue_t> queue(rd_kafka_queue_new(client_.get()));
    send(how.get(), queue.get());
    KafkaOwned<rd_kafka_event_t> answer(rd_kafka_queue_poll(queue.get(), timeout + 1000));
    if (answer == nullptr) {
        return fail(ErrorCode::timed_out, "Kafka does not answer");
    }
    if (const auto error = rd_kafka_event_error(answer.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failure("Kafka does not answer", error, rd_kafka_event_error_string(answer.get()));
    }
    return answer;
}

Result<std::optional<KafkaTopics::Found>> KafkaTopics::find(const TopicSpec& spec) {
    const std::string name = full_name(options_, spec.name);
    const auto shape = shape_of(spec.name);
    if (!shape) {
        return tl::unexpected(shape.error());
    }
    if (!*shape) {
        return std::nullopt;
    }
    Found found;
    found.shape = **shape;
    const KafkaOwned<rd_kafka_ConfigResource_t> resource(
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
    const auto answer = ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, [&](auto* how, auto* queue) {
        rd_kafka_ConfigResource_t* one = resource.get();
        rd_kafka_DescribeConfigs(client_.get(), &one, 1, how, queue);
    });
    if (!answer) {
        return tl::unexpected(answer.error());
    }
    std::size_t count = 0;
    const auto* const* described =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer->get()), &count);
    if (count != 1 || rd_kafka_ConfigResource_error(described[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return fail(ErrorCode::unavailable, "Kafka does not say how a topic is set", name);
    }
    const auto* const* entries = rd_kafka_ConfigResource_configs(described[0], &count);
    const auto ours = settings_of(spec, {1, 1});
    for (std::size_t i = 0; i < count; ++i) {
        const char* value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value != nullptr && ours.contains(rd_kafka_ConfigEntry_name(entries[i]))) {
            found.settings.emplace(rd_kafka_ConfigEntry_name(entries[i]), value);
        }
    }
    return found;
}

Result<void> KafkaTopics::create(const TopicSpec& spec, const KafkaTopicShape& shape) {
    const std::string name = full_name(options_, spec.name);
    if (shape.replication > brokers_) {
        return fail(ErrorCode::invalid_argument, "the replication factor is larger than the number of brokers",
                    fmt::format("{} copies on {} broker{}", shape.replication, brokers_, brokers_ == 1 ? "" : "s"));
    }
    std::array<char, 512> words{};
    const KafkaOwned<rd_kafka_NewTopic_t> topic(
        rd_kafka_NewTopic_new(name.c_str(), shape.partitions, shape.replication, words.data(), words.size()));
    if (topic == nullptr) {
        return fail(ErrorCode::invalid_argument, "Kafka's client does not take a topic", words.data());
    }
    for (const auto& [setting, value] : settings_of(spec, shape)) {
        (void)rd_kafka_NewTopic_set_config(topic.get(), setting.c_str(), value.c_str());
    }
    const auto answer = ask(RD_KAFKA_ADMIN_OP_CREATETOPICS, [&](auto* how, auto* queue) {
        rd_kafka_NewTopic_t* one = topic.get();
        rd_kafka_CreateTopics(client_.get(), &one, 1, how, queue);
    });
    if (!answer) {
        return tl::unexpected(answer.error());
    }
    std::size_t count = 0;
    const auto* const* results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer->get()), &count);
    if (const auto error = count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
        error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* why = count == 1 ? rd_kafka_topic_result_error_string(results[0]) : nullptr;
        return fail(code_of(error), "Kafka does not make a topic",
                    fmt::format("{}: {}", name, why != nullptr ? why : rd_kafka_err2str(error)));
    }
    return wait_until_there(name, shape.partitions);
}

/// Brokers learn of a new topic one after the other, and leaders of their partitions last.
Result<void> KafkaTopics::wait_until_there(const std::string& name, Partition partitions) {
    const auto until = SteadyClock::now() + options_.connect_timeout;
    while (true) {
        const auto metadata = look_up(name);
        if (!metadata) {
            return tl::unexpected(metadata.error());
        }
        if ((*metadata)->topic_cnt == 1 && (*metadata)->topics[0].partition_cnt == partitions) {
            const rd_kafka_metadata_topic& topic = (*metadata)->topics[0];
            if (std::all_of(topic.partitions, topic.partitions + topic.partition_cnt,
                            [](const rd_kafka_metadata_partition& one) { return one.leader >= 0; })) {
                break;
            }
        }
        if (SteadyClock::now() >= until) {
            return fail(ErrorCode::timed_out, "a new topic has no leader for each of its partitions", name);
        }
        std::this_thread::sleep_for(look_again);
    }
    const auto list = make_partition_list(static_cast<std::size_t>(partitions));
    rd_kafka_topic_partition_list_add_range(list.get(), name.c_str(), 0, partitions - 1);
    return find_ends(client_.get(), *list, until);
}

std::vector<KafkaTopicDifference> KafkaTopics::compare(const TopicSpec& spec, const KafkaTopicShape& shape,
                                                       const Found& found) {
    std::vector<KafkaTopicDifference> differences;
    if (found.shape.partitions != shape.partitions) {
        differences.push_back(
            {"partitions", std::to_string(shape.partitions), std::to_string(found.shape.partitions), true});
    }
    if (found.shape.replication != shape.replication) {
        differences.push_back(
            {"replication factor", std::to_string(shape.replication), std::to_string(found.shape.replication), false});
    }
    // Of the copies that there are: a wrong number of them is said once.
    for (const auto& [setting, wanted] : settings_of(spec, {shape.partitions, found.shape.replication})) {
        const auto at = found.settings.find(setting);
        const std::string is = at == found.settings.end() ? "unset" : at->second;
        if (is != wanted) {
            const bool too_small =
                setting == message_bytes && std::strtoull(is.c_str(), nullptr, 10) < kafka_message_bytes_max;
            differences.push_back({setting, wanted, is, setting == cleanup_policy || too_small});
        }
    }
    return differences;
}

}  // namespace muster
