#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "base/metrics.h"
#include "status/redis_status_codec.h"
#include "status/redis_status_mirror.h"
#include "status/status_store.h"
#include "status/status_store_metrics.h"
#include "status/status_watchers.h"
#include "storage/redis_link.h"

namespace muster {

struct RedisStatusStoreOptions {
    RedisOptions redis{};
    std::string writer = "processor";         ///< names this process among those that write
    std::size_t devices_max = 4'000'000;      ///< a sixteenth of it a shard; more are counted and left out
    std::size_t round_bytes_max = 1U << 20U;  ///< of changes sent before their replies are read
    Millis list_wait{2000};                   ///< how long a listing waits for the mirror to catch up
};

/// The StatusStore port on Redis: written by the processors, read by other processes. Documents, last contacts and
/// counts are in Redis, changed shard by shard by one script; get(), counts() and regions() ask Redis; list() and
/// watch() need a mirror, which the first of them starts. Watchers are called by the mirror's thread, and hear of what
/// other processes write too. Any thread.
class RedisStatusStore final : public StatusStore {
 public:
    /// unavailable: Redis cannot be reached; the message is for the administrator. `metrics` outlives the store.
    [[nodiscard]] static Result<std::unique_ptr<RedisStatusStore>> open(RedisStatusStoreOptions options,
                                                                        MetricRegistry& metrics);
    ~RedisStatusStore() override;

    /// unavailable: some of it may have been applied; to repeat it is right.
    [[nodiscard]] Result<void> apply(std::span<const StatusDocument> transitions,
                                     std::span<const StatusTouch> touches) override;
    [[nodiscard]] Result<std::optional<DeviceStatus>> get(std::string_view id) const override;
    [[nodiscard]] Result<DevicePage> list(const DeviceFilter& filter, std::string_view after,
                                          std::size_t limit) const override;
    [[nodiscard]] Result<RegionCounts> counts(std::string_view region) const override;
    [[nodiscard]] Result<std::vector<std::pair<std::string, RegionCounts>>> regions() const override;
    [[nodiscard]] std::shared_ptr<void> watch(OnTransition on_transition, OnTouch on_touch) override;
    /// What was applied is as safe as Redis is configured to keep it; what it loses is noticed, see losses().
    [[nodiscard]] Result<void> checkpoint() override;
    [[nodiscard]] std::uint64_t losses() const override { return losses_.load(); }

 private:
    struct Piece {
        std::size_t shard = 0;
        std::string batch;
    };

    RedisStatusStore(RedisStatusStoreOptions options, MetricRegistry& metrics);
    [[nodiscard]] std::vector<Piece> pieces_of(std::span<const StatusDocument> transitions,
                                               std::span<const StatusTouch> touches);
    [[nodiscard]] Result<void> send(RedisConnection& connection, std::span<const Piece> pieces);
    void count(const Piece& piece, const RedisValue& reply, bool& has_lost);
    /// Whether Redis is still the one, with what it was given; with writer_mutex_.
    [[nodiscard]] Result<void> look_for_losses(RedisConnection& connection);
    /// Sends with `append` and reads one reply a shard.
    template <class Append, class Visit>
    [[nodiscard]] Result<void> ask_all_shards(Append&& append, Visit&& visit) const;
    [[nodiscard]] RedisStatusMirror& mirror() const;

    const RedisStatusStoreOptions options_;
    MetricRegistry& metrics_;
    StatusStoreMetrics counts_;
    Counter& losses_total_;
    std::atomic<std::uint64_t> losses_{0};
    mutable StatusWatchers watchers_;

    std::mutex writer_mutex_;  ///< guards what follows
    RedisLink writer_;
    std::array<std::string, redis_status_shards> lives_;  ///< empty: not looked yet
    std::string run_;                                     ///< of the server that was written to

    mutable std::mutex reader_mutex_;  ///< guards reader_
    mutable RedisLink reader_;

    mutable std::mutex mirror_mutex_;  ///< guards the making of mirror_
    mutable std::unique_ptr<RedisStatusMirror> mirror_;
};

}  // namespace muster
