#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <librdkafka/rdkafka.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "bus/kafka_options.h"

namespace muster {

/// Ends whatever librdkafka made, each in its way.
struct KafkaDeleter {
    void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
    void operator()(rd_kafka_conf_t* settings) const { rd_kafka_conf_destroy(settings); }
    void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
    void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
    void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
    void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
    void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
    void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
    void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
    void operator()(const rd_kafka_metadata_t* metadata) const { rd_kafka_metadata_destroy(metadata); }
    void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
    void operator()(rd_kafka_ConfigResource_t* resource) const { rd_kafka_ConfigResource_destroy(resource); }
    void operator()(rd_kafka_AdminOptions_t* options) const { rd_kafka_AdminOptions_destroy(options); }
};
template <class T>
using KafkaOwned = std::unique_ptr<T, KafkaDeleter>;
using KafkaPartitionList = KafkaOwned<rd_kafka_topic_partition_list_t>;

[[nodiscard]] inline KafkaPartitionList make_partition_list(std::size_t size) {
    return KafkaPartitionList(rd_kafka_topic_partition_list_new(static_cast<int>(size)));
}

/// Our code for librdkafka's.
[[nodiscard]] ErrorCode code_of(rd_kafka_resp_err_t error);
/// `text`: what could not be done. `what`: to whom, may be empty. Librdkafka's words follow.
[[nodiscard]] tl::unexpected<Error> kafka_failure(std::string_view text, rd_kafka_resp_err_t error,
                                                  std::string_view what = {});

/// What librdkafka's threads say of one client: into our log, at most a line in five seconds, and counted. Owned by who
/// owns the client, and outlives that. It is the opaque of all its callbacks.
class KafkaLog final {
 public:
    /// `owner`: what callbacks of the client find by owner().
    KafkaLog(std::string name, MetricRegistry& metrics, void* owner = nullptr);

    template <class Owner>
    [[nodiscard]] static Owner& owner(void* opaque) {
        return *static_cast<Owner*>(static_cast<KafkaLog*>(opaque)->owner_);
    }

    /// Librdkafka's threads. `level`: syslog's.
    void take(int level, std::string_view facility, std::string_view text);
    /// The newest error, for who could not reach Kafka; empty when there was none.
    [[nodiscard]] std::string newest_error() const;

 private:
    const std::string name_;
    void* const owner_;
    Counter& errors_;
    LogLimit limit_;
    mutable std::mutex mutex_;  ///< guards newest_error_
    std::string newest_error_;
};

/// The settings of one librdkafka client, by librdkafka's names. Those of the connection come first, from the options.
class KafkaSettings final {
 public:
    KafkaSettings(const KafkaBusOptions& options, std::string_view client_name, KafkaLog& log);

    /// A name or a value that librdkafka refuses is a bug of ours.
    KafkaSettings& set(const char* name, const std::string& value);
    KafkaSettings& set(const char* name, std::int64_t value) { return set(name, std::to_string(value)); }
    KafkaSettings& set(const char* name, Millis value) { return set(name, value.count()); }
    [[nodiscard]] rd_kafka_conf_t* get() { return settings_.get(); }

    /// Uses the settings up.
    [[nodiscard]] Result<KafkaOwned<rd_kafka_t>> make(rd_kafka_type_t type);

 private:
    KafkaOwned<rd_kafka_conf_t> settings_;
    Result<void> refused_;  ///< the first of KafkaBusOptions::connection that librdkafka does not take
};

/// Sets each partition's offset to its end. A partition that has no leader just now, because it is new or moves, is
/// asked for again until `deadline`.
[[nodiscard]] Result<void> find_ends(rd_kafka_t* client, rd_kafka_topic_partition_list_t& partitions,
                                     std::chrono::steady_clock::time_point deadline);

/// Milliseconds as librdkafka takes them, from now until `deadline`, never negative.
[[nodiscard]] int kafka_wait(std::chrono::steady_clock::time_point deadline);

}  // namespace muster
