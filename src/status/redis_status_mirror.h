#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "status/device_table.h"
#include "status/redis_status_codec.h"
#include "status/status_watchers.h"
#include "storage/redis_link.h"

namespace muster {

/// A copy in memory of the status in Redis, for listings and watchers: about 420 B a device. Its thread reads all
/// devices once, then follows the channel of changes; the sequence numbers of the shards tell when it has missed one
/// (the connection broke, Redis was restarted): then it reads everything again. Bounded by what Redis holds, see
/// RedisStatusStoreOptions::devices_max. Owned by the store; any thread.
class RedisStatusMirror final {
 public:
    using Sequences = std::array<std::uint64_t, redis_status_shards>;

    RedisStatusMirror(const RedisOptions& redis, std::size_t shard_devices_max, StatusWatchers& watchers,
                      MetricRegistry& metrics);
    ~RedisStatusMirror();
    RedisStatusMirror(const RedisStatusMirror&) = delete;
    RedisStatusMirror& operator=(const RedisStatusMirror&) = delete;

    /// Returns when it has these changes of every shard, and its watchers have heard of them. unavailable: it has not
    /// within `wait`, for example because it is still reading the devices.
    [[nodiscard]] Result<void> wait_for(const Sequences& sequences, Millis wait);
    [[nodiscard]] DevicePage list(const DeviceFilter& filter, std::string_view after, std::size_t limit);

 private:
    void run();
    /// One connection's life: subscribes, reads all, follows.
    [[nodiscard]] Result<void> follow();
    [[nodiscard]] Result<void> begin(RedisConnection& scanner);
    [[nodiscard]] Result<void> fill(RedisConnection& scanner, RedisConnection& subscription);
    [[nodiscard]] Result<std::string> fill_page(RedisConnection& scanner, std::size_t shard, const std::string& cursor);
    [[nodiscard]] Result<void> take_message(RedisConnection& subscription);
    [[nodiscard]] Result<void> apply(std::size_t shard, std::string_view batch);
    void take_in(std::size_t shard, const DeviceStatus& device);
    [[nodiscard]] DeviceTable::Applied apply_document(std::size_t shard, const StatusDocument& document);
    void tell();
    void set_followed(bool is_followed);
    void pause();
    [[nodiscard]] bool stopping();

    const std::size_t shard_devices_max_;
    StatusWatchers& watchers_;
    Counter& fills_;
    Counter& messages_;
    Counter& damaged_;
    Gauge& devices_;
    std::shared_ptr<void> refresh_;

    // The thread's own.
    RedisLink subscription_;
    RedisLink scanner_;
    std::array<std::string, redis_status_shards> lives_;  ///< empty: never read
    std::array<std::size_t, redis_status_shards> shard_devices_{};
    bool tells_ = false;                ///< what is new is news, and not the first reading
    std::vector<StatusDocument> news_;  ///< reused

    mutable std::shared_mutex table_mutex_;  ///< guards table_
    std::unique_ptr<DeviceTable> table_;

    std::mutex mutex_;  ///< guards what follows
    std::condition_variable changed_;
    Sequences sequences_{};
    bool is_followed_ = false;  ///< all was read, and nothing missed since
    bool stopping_ = false;
    std::atomic<bool> is_suspect_{false};  ///< somebody waited in vain: the subscription may be dead

    std::thread thread_;
};

}  // namespace muster
