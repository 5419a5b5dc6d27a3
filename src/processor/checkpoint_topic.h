#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"
#include "bus/bus.h"

namespace muster {

// muster.checkpoints, compacted, on the partition that it speaks of. A snapshot is cut into pieces and written to one
// of two places in turn, then the manifest says which one holds: a kill at any instant leaves the older one whole.
//   key "3:0:0", "3:0:1", …  value: a piece of the snapshot of partition 3 in place 0
//   key "3"                  value: {"v":1,"place":0,"pieces":2,"bytes":700000}
// docs/data-formats.md, "Checkpoints".

/// Writes and reads the snapshots that a processor keeps on the bus, for one whose disk is new. Used by one worker's
/// thread; holds one snapshot at a time.
class CheckpointTopic final {
 public:
    static constexpr std::size_t piece_bytes = std::size_t{512} << 10U;
    static constexpr std::size_t snapshot_bytes_max = std::size_t{4} << 30U;
    /// Sends a record, waiting while the bus is slow. False: the role is stopping.
    using Send = FunctionRef<bool(const ProducerRecord&)>;
    /// Waits until everything sent is durable.
    using Drain = FunctionRef<Result<void>()>;

    /// What a manifest says.
    struct Manifest {
        std::uint32_t place = 0;
        std::uint32_t pieces = 0;
        std::uint64_t bytes = 0;
    };

    explicit CheckpointTopic(Bus& bus) : bus_(bus) {}

    /// Writes the snapshot to `place`, which must not be the one that the manifest names; durable when it returns.
    [[nodiscard]] static Result<void> write(Partition partition, std::uint32_t place, std::string_view snapshot,
                                            Send send, Drain drain);
    /// The snapshot that the manifest names; nullopt: there is none, or not all of it.
    struct Found {
        std::uint32_t place = 0;
        std::string snapshot;
    };
    [[nodiscard]] Result<std::optional<Found>> read(Partition partition);
    /// Calls `visit` with the newest record of every key of one partition of a compacted topic, in the order written.
    [[nodiscard]] Result<void> read_all(std::string_view topic, Partition partition,
                                        FunctionRef<void(const ConsumerRecord&)> visit);

 private:
    Bus& bus_;
};

[[nodiscard]] std::string to_json(const CheckpointTopic::Manifest& manifest);
[[nodiscard]] Result<CheckpointTopic::Manifest> parse_checkpoint_manifest(std::string_view json);

}  // namespace muster
