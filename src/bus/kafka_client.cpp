#include "bus/kafka_client.h"

#include <algorithm>
#include <array>
#include <climits>
#include <span>
#include <thread>

#include <fmt/format.h>

#include "base/assert.h"
#include "bus/record_check.h"

namespace muster {
namespace {

constexpr int syslog_error = 3;
constexpr int syslog_warning = 4;
constexpr std::size_t prefix_bytes_max = 64;
constexpr Millis linger_max{1000};
constexpr Millis session_timeout_min{6'000};  // Kafka's group.min.session.timeout.ms
constexpr Millis session_timeout_max{300'000};
constexpr Millis reconnect_backoff_max{1'000};  ///< a broker that is back is used within it
constexpr Millis look_again{50};                ///< at a partition that has no leader
constexpr std::array connection_settings{"security.", "ssl.", "sasl.", "socket."};

bool is_connection_setting(std::string_view name) {
    return std::ranges::any_of(connection_settings, [name](const char* begin) { return name.starts_with(begin); });
}

std::int64_t steady_ms() {
    return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Result<void> check(const KafkaBusOptions& options) {
    if (options.brokers.empty()) {
        return fail(ErrorCode::invalid_argument, "no Kafka brokers are named: host:port, or several with commas");
    }
    if (options.partitions < 0 || options.partitions > bus_partitions_max) {
        return fail(ErrorCode::invalid_argument, "the number of partitions must be 1 to 1024",
                    std::to_string(options.partitions));
    }
    if (options.replication < 0 || options.replication > INT16_MAX) {
        return fail(ErrorCode::invalid_argument, "the replication factor must be at least 1",
                    std::to_string(options.replication));
    }
    if (!options.prefix.empty() && (!check_topic_name(options.prefix) || options.prefix.size() > prefix_bytes_max)) {
        return fail(ErrorCode::invalid_argument, "a prefix of topics is at most 64 of [A-Za-z0-9._-]", options.prefix);
    }
    if (options.linger < Millis(0) || options.linger > linger_max) {
        return fail(ErrorCode::invalid_argument, "Kafka's linger must be 0 to 1000 ms",
                    std::to_string(options.linger.count()));
    }
    if (options.session_timeout < session_timeout_min || options.session_timeout > session_timeout_max) {
        return fail(ErrorCode::invalid_argument, "Kafka's session timeout must be 6 to 300 s",
                    fmt::format("{} ms", options.session_timeout.count()));
    }
    for (const auto& [name, value] : options.connection) {
        if (!is_connection_setting(name)) {
            return fail(ErrorCode::invalid_argument,
                        "only security.*, ssl.*, sasl.* and socket.* of Kafka's client can be set", name);
        }
    }
    return {};
}

ErrorCode code_of(rd_kafka_resp_err_t error) {
    switch (error) {
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            return ErrorCode::queue_full;
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
        case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
            return ErrorCode::timed_out;
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
            return ErrorCode::not_found;
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
            return ErrorCode::too_large;
        case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
        case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
        case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
        case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
            return ErrorCode::conflict;
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            return ErrorCode::forbidden;
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
            return ErrorCode::unauthorized;
        case RD_KAFKA_RESP_ERR__BAD_MSG:
        case RD_KAFKA_RESP_ERR_INVALID_MSG:
            return ErrorCode::corrupt;
        case RD_KAFKA_RESP_ERR__INVALID_ARG:
        case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
        case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
        case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
        case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
            return ErrorCode::invalid_argument;
        default:
            return ErrorCode::unavailable;
    }
}

tl::unexpected<Error> kafka_failure(std::string_view text, rd_kafka_resp_err_t error, std::string_view what) {
    return fail(
        code_of(error), text,
        what.empty() ? std::string(rd_kafka_err2str(error)) : fmt::format("{}: {}", what, rd_kafka_err2str(error)));
}

int kafka_wait(std::chrono::steady_clock::time_point deadline) {
    const auto left = std::chrono::ceil<Millis>(deadline - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
}

Result<void> find_ends(rd_kafka_t* client, rd_kafka_topic_partition_list_t& partitions,
                       std::chrono::steady_clock::time_point deadline) {
    const std::span<rd_kafka_topic_partition_t> all(partitions.elems, static_cast<std::size_t>(partitions.cnt));
    while (true) {
        for (rd_kafka_topic_partition_t& one : all) {
            one.offset = RD_KAFKA_OFFSET_END;
            one.err = RD_KAFKA_RESP_ERR_NO_ERROR;
        }
        auto error = rd_kafka_offsets_for_times(client, &partitions, kafka_wait(deadline));
        const auto failed = std::ranges::find_if(all, [](const rd_kafka_topic_partition_t& one) {
            return one.err != RD_KAFKA_RESP_ERR_NO_ERROR || one.offset < 0;
        });
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR && failed == all.end()) {
            return {};
        }
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
            error = failed->err;
        }
        if (std::chrono::steady_clock::now() + look_again >= deadline) {
            return kafka_failure("Kafka does not say where a partition ends", error,
                                 failed == all.end() ? std::string_view() : failed->topic);
        }
        std::this_thread::sleep_for(look_again);
    }
}

KafkaLog::KafkaLog(std::string name, MetricRegistry& metrics, void* owner)
    : name_(std::move(name)),
      owner_(owner),
      errors_(metrics.counter("muster_bus_kafka_errors_total", "Warnings and errors of Kafka's client library",
                              {{"client", name_}})) {}

void KafkaLog::take(int level, std::string_view facility, std::string_view text) {
    if (level > syslog_warning) {
        return;
    }
    errors_.Increment();
    if (level <= syslog_error) {
        const std::lock_guard lock(mutex_);
        newest_error_ = text;
    }
    std::uint64_t swallowed = 0;
    if (limit_.allow(Millis(steady_ms()), swallowed)) {
        spdlog::warn("kafka {}: {}: {} ({} more)", name_, facility, text, swallowed);
    }
}

std::string KafkaLog::newest_error() const {
    const std::lock_guard lock(mutex_);
    return newest_error_;
}

KafkaSettings::KafkaSettings(const KafkaBusOptions& options, std::string_view client_name, KafkaLog& log)
    : settings_(rd_kafka_conf_new()) {
    std::array<char, 512> words{};
    for (const auto& [name, value] : options.connection) {
        if (refused_ && rd_kafka_conf_set(settings_.get(), name.c_str(), value.c_str(), words.data(), words.size()) !=
                            RD_KAFKA_CONF_OK) {
            refused_ = fail(ErrorCode::invalid_argument, "Kafka's client does not take a setting", words.data());
        }
    }
    set("bootstrap.servers", options.brokers);
    set("client.id", fmt::format("{}-{}", options.client, client_name));
    set("reconnect.backoff.max.ms", reconnect_backoff_max);
    set("socket.nagle.disable", "true");
    set("log.thread.name", "false");
    set("log.connection.close", "false");
    rd_kafka_conf_set_log_cb(settings_.get(),
                             [](const rd_kafka_t* client, int level, const char* facility, const char* text) {
                                 static_cast<KafkaLog*>(rd_kafka_opaque(client))->take(level, facility, text);
                             });
    rd_kafka_conf_set_opaque(settings_.get(), &log);
}

KafkaSettings& KafkaSettings::set(const char* name, const std::string& value) {
    std::array<char, 512> words{};
    const auto taken = rd_kafka_conf_set(settings_.get(), name, value.c_str(), words.data(), words.size());
    if (taken != RD_KAFKA_CONF_OK && refused_) {
        refused_ = fail(ErrorCode::invalid_argument, "Kafka's client does not take a setting", words.data());
    }
    return *this;
}

Result<KafkaOwned<rd_kafka_t>> KafkaSettings::make(rd_kafka_type_t type) {
    if (!refused_) {
        return tl::unexpected(refused_.error());
    }
    std::array<char, 512> words{};
    KafkaOwned<rd_kafka_t> client(rd_kafka_new(type, settings_.get(), words.data(), words.size()));
    if (client == nullptr) {
        return fail(ErrorCode::unavailable, "Kafka's client library cannot start", words.data());
    }
    (void)settings_.release();  // NOLINT(bugprone-unused-return-value): the client's now
    return client;
}

}  // namespace muster
