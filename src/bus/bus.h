#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "base/time.h"

namespace muster {

// The Bus port, shaped on Kafka: topics of partitions, keys, headers, offsets, consumer groups, acknowledgement when
// durable. Two implementations: embedded_bus (RocksDB, one process) and kafka_bus.

using Partition = std::int32_t;
using Offset = std::int64_t;
using TopicId = std::uint16_t;

inline constexpr Partition any_partition = -1;
inline constexpr std::size_t record_headers_max = 4;
inline constexpr std::size_t record_bytes_max =
    1U << 20U;  ///< key, value and headers together: Kafka's default message.max.bytes

struct RecordHeader {
    std::string_view name;
    std::string_view value;
};

/// A record to append. Everything is copied before send() returns.
struct ProducerRecord {
    std::string_view key;
    std::string_view value;
    std::span<const RecordHeader> headers;  ///< at most record_headers_max
    Timestamp time{};                       ///< the epoch (0): Kafka puts its own
    Partition partition = any_partition;    ///< any_partition: partition_of(key)
    bool tombstone = false;                 ///< compacted topics: forget the key; `value` must be empty
};

/// A record as it is read; all views are valid only during the callback that hands it out.
struct ConsumerRecord {
    std::string_view topic;
    Partition partition = 0;
    Offset offset = 0;
    Timestamp time{};
    std::string_view key;
    std::string_view value;
    std::span<const RecordHeader> headers;
    bool tombstone = false;

    /// The value of the header with this name, empty when absent.
    [[nodiscard]] std::string_view header(std::string_view name) const {
        for (const RecordHeader& candidate : headers) {
            if (candidate.name == name) {
                return candidate.value;
            }
        }
        return {};
    }
};

struct TopicSpec {
    enum class Cleanup : std::uint8_t {
        bounded,    ///< the oldest go when the topic is over retention_bytes or (as far as the implementation can)
                    ///< retention
        compacted,  ///< the newest record of each key is kept
    };
    std::string name;
    Cleanup cleanup = Cleanup::bounded;
    std::uint64_t retention_bytes = 1ULL << 30U;
    Seconds retention = std::chrono::hours(24 * 7);
};

/// The fate of one record that was sent with a token other than 0.
struct Delivery {
    std::uint64_t token = 0;
    bool durable = false;  ///< false: not (known to be) kept; `error` says why
    ErrorCode error = ErrorCode::unavailable;
};

struct ProducerOptions {
    std::string name;                          ///< for metrics
    std::size_t queue_bytes_max = 32U << 20U;  ///< sent and not yet durable; over it send() says queue_full
    /// Called from any thread when poll() has something to hand out; must only wake the owner (an eventfd).
    std::function<void()> on_deliveries_ready;
};

/// Appends records. Owned and used by one thread. Records of one producer to one partition keep their order.
class Producer {
 public:
    virtual ~Producer() = default;

    /// Queues a record. `token` 0: no delivery report wanted. queue_full: over queue_bytes_max, nothing was queued, the
    /// caller slows down or drops and counts. too_large: over record_bytes_max.
    [[nodiscard]] virtual Result<void> send(TopicId topic, const ProducerRecord& record, std::uint64_t token) = 0;
    /// Hands over what was batched since the last call. Called at the end of a reactor turn; cheap when nothing was
    /// sent.
    virtual void flush() = 0;
    /// Hands out delivery reports, each token once, in any order across partitions. Returns how many.
    virtual std::size_t poll(FunctionRef<void(const Delivery&)> on_delivery) = 0;
    /// Flushes and blocks until everything sent is durable or failed. timed_out when that takes longer. Reports stay
    /// for poll().
    [[nodiscard]] virtual Result<void> drain(Millis timeout) = 0;
    /// Bytes sent and not yet durable.
    [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
};

/// Told of partitions that come and go, from inside Consumer::poll (or the destructor), in the consumer's thread.
class RebalanceListener {
 public:
    virtual ~RebalanceListener() = default;
    /// Where to start reading; nullopt: at the group's committed offset, else ConsumerOptions::start.
    virtual std::optional<Offset> on_assigned(std::string_view topic, Partition partition) = 0;
    virtual void on_revoked(std::string_view topic, Partition partition) = 0;
};

struct ConsumerOptions {
    enum class Start : std::uint8_t { earliest, latest };
    /// Empty: reads every partition, commits nothing. All members of a group name the same topics, and get the same
    /// partition numbers of all of them.
    std::string group;
    std::vector<std::string> topics;  ///< must be open
    Start start = Start::earliest;    ///< where there is no committed offset
    RebalanceListener* listener = nullptr;
    std::size_t poll_records_max = 10'000;
    std::vector<Partition> partitions{};  ///< without a group: only these of each topic; empty: all
};

/// Reads records. Owned and used by one thread, apart from wake(). Only durable records are handed out, in offset order
/// within a partition.
class Consumer {
 public:
    virtual ~Consumer() = default;

    /// Waits at most `timeout` for records and hands out at most poll_records_max. Returns how many; 0 on timeout, on
    /// wake(), and when caught_up() has just become true. An offset that retention has removed is skipped to the oldest
    /// one there is (counted in a metric). io, corrupt: what the store said; the position is unchanged.
    [[nodiscard]] virtual Result<std::size_t> poll(Millis timeout,
                                                   FunctionRef<void(const ConsumerRecord&)> on_record) = 0;
    /// Durably commits "the group has handled everything before `next`". Never goes back on restart. conflict: the
    /// partition is not this consumer's (any more: poll() is about to tell), and asking again does not help.
    [[nodiscard]] virtual Result<void> commit(std::string_view topic, Partition partition, Offset next) = 0;
    /// Moves the position of an assigned partition.
    virtual void seek(std::string_view topic, Partition partition, Offset offset) = 0;
    /// Durable records not yet handed out, over all assigned partitions.
    [[nodiscard]] virtual std::uint64_t lag() const = 0;
    /// True once a full pass found every assigned partition at its end since the position was last moved.
    [[nodiscard]] virtual bool caught_up() const = 0;
    /// Makes a poll() under way, or the next one, return at once. Any thread.
    virtual void wake() = 0;
};

/// The bus itself. Any thread. Outlives its producers and consumers.
class Bus {
 public:
    virtual ~Bus() = default;

    /// Creates the topic if it is not there (same number of partitions for all); asking twice gives the same id.
    /// conflict: it is there and cannot be used as it is.
    [[nodiscard]] virtual Result<TopicId> open_topic(const TopicSpec& spec) = 0;
    [[nodiscard]] virtual std::unique_ptr<Producer> producer(ProducerOptions options) = 0;
    /// not_found: a topic that is not open. invalid_argument: a partition that there is not, or partitions and a group.
    [[nodiscard]] virtual Result<std::unique_ptr<Consumer>> consumer(ConsumerOptions options) = 0;
    [[nodiscard]] virtual Partition partitions() const = 0;
};

/// Kafka's default partitioner: positive murmur2 of the key, modulo partitions, so that other producers agree.
[[nodiscard]] Partition partition_of(std::string_view key, Partition partitions);

}  // namespace muster
