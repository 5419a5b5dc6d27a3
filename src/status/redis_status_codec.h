#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "status/status_store.h"

namespace muster {

// How the status stands in Redis (docs/data-formats.md, "Status in Redis"). Devices are spread over shards by their id;
// all keys of a shard carry its number as the hash tag, so that one script changes them together, also in a Redis
// Cluster:
//   muster:status:{N}:devices   hash: id → its last document, see below
//   muster:status:{N}:contacts  hash: id → what every record renews
//   muster:status:{N}:regions   hash: region ("" = fleet), with all above it → its counts
//   muster:status:{N}:meta      hash: life = made when the shard was empty; sequence = of the last change
// and each change of a shard is told on the channel muster:status:changes: u8 shard | u64 sequence | batch.
//
// All numbers are little-endian.
//   document: i64 offset | u8 n, region | 10 x u8, i32, i32 contribution | the packed device (device_codec.h)
//   contact:  i64 last_seen | i64 telemetry_time | i64 last_ping | i64 last_published | metrics, or nothing
//   metrics:  u16 n, n bytes of names, each u8 m, name | f64 for each name
//   counts:   12 x i64: the members of RegionCounts, positions in steps of 2^-20 degrees
//   batch:    u32 documents | u32 touches
//             | for each document: u8 n, id | i64 last_seen | u32 n, document
//             | for each touch: u8 n, id | i64 last_seen | i64 telemetry_time | u8 kind | u32 n, metrics

inline constexpr std::size_t redis_status_shards = 16;
inline constexpr std::string_view redis_status_channel = "muster:status:changes";

[[nodiscard]] std::size_t redis_status_shard_of(std::string_view device);

/// The keys of one shard.
struct RedisStatusKeys {
    explicit RedisStatusKeys(std::size_t shard);
    std::string devices;
    std::string contacts;
    std::string regions;
    std::string meta;
};
/// Of all shards, made once.
[[nodiscard]] const std::vector<RedisStatusKeys>& redis_status_keys();

/// Writes a batch for one shard. Reused.
class RedisStatusBatch final {
 public:
    void add(const StatusDocument& document);
    void add(const StatusTouch& touch);  ///< after all documents
    [[nodiscard]] std::size_t records() const { return documents_ + touches_; }
    /// Ends it.
    [[nodiscard]] std::string take();

 private:
    std::string bytes_;
    std::string packed_;  ///< reused
    std::uint32_t documents_ = 0;
    std::uint32_t touches_ = 0;
};

/// Reads a batch. malformed, corrupt: it is none; what came before the damage has been told.
[[nodiscard]] Result<void> read_status_batch(std::string_view batch, FunctionRef<void(const StatusDocument&)> document,
                                             FunctionRef<void(const StatusTouch&)> touch);
/// The device of a document and a contact as they are stored. Errors as above.
[[nodiscard]] Result<DeviceStatus> read_status_device(std::string_view id, std::string_view document,
                                                      std::string_view contact);
[[nodiscard]] Result<RegionCounts> read_status_counts(std::string_view bytes);

/// Applies a batch to a shard. KEYS: devices, contacts, regions, meta. ARGV: the batch, the channel, the shard's
/// number, how many devices it may hold. Returns the shard's life, then how many
/// documents were applied, known already, and left out, and how many touches were of devices that are not known.
extern const std::string_view redis_status_apply_script;
/// Returns the life of the shard whose meta is KEYS[1]; one that has none begins it: when, by the server's clock.
extern const std::string_view redis_status_life_script;

}  // namespace muster
