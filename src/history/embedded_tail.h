#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"
#include "storage/embedded_rocksdb.h"

namespace muster {

// The families "tail" and "state" of the embedded history store:
//
//   tail    u16 lane, u64 number of the segment, big-endian → a segment (tail_segment.h)
//   state   "rolled" → decimal text: the day since 1970 up to which days are rolled up

[[nodiscard]] std::string segment_key(std::size_t lane, std::uint64_t segment);

/// In the order of lanes and segments.
[[nodiscard]] Result<void> for_each_segment(
    RocksDatabase& database, rocksdb::ColumnFamilyHandle* tail,
    FunctionRef<void(std::size_t lane, std::uint64_t segment, std::string_view bytes)> visit);

[[nodiscard]] Result<std::optional<std::int32_t>> read_rolled_until(RocksDatabase& database,
                                                                    rocksdb::ColumnFamilyHandle* state);
[[nodiscard]] Result<void> write_rolled_until(RocksDatabase& database, rocksdb::ColumnFamilyHandle* state,
                                              std::int32_t day);

}  // namespace muster
