#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "history/sample_table.h"

namespace muster {

// The samples of one device and hour, sealed:
//
//   0 u8 version = 1 | 1 u32 CRC-32C of everything from byte 5 on
//   5 varint rows | varint metrics | u8 flags: bit 0, some times are those of receipt
//     varint bytes | column of whole numbers: each row's ms within the hour, ascending
//     [flags bit 0: (rows + 7) / 8 bytes, a bit a row, the lowest first]
//     for each metric, ascending by name:
//       text name | varint bytes << 1 | lowest bit: not every row has the metric
//       [(rows + 7) / 8 bytes, a bit a row: has it] | column of doubles, as many as rows have it
//
// Columns are those of column_codec.h.

inline constexpr std::uint32_t chunk_rows_max = 65'536;
inline constexpr std::uint32_t chunk_metrics_max = 4096;
/// Of all metrics together: what one chunk can make a reader allocate.
inline constexpr std::uint64_t chunk_values_max = std::uint64_t{1} << 22U;

/// A folded table, all within one hour, at most chunk_rows_max different times; metrics without samples are left out.
/// Replaces `out`.
void encode_chunk(const SampleTable& table, std::int64_t hour_begin_ms, std::string& out);

/// Adds the samples of the metrics that the table wants, and gives the number of rows. corrupt: the checksum is wrong;
/// malformed: it is right and the bytes are no chunk. The table may then have a part of it.
[[nodiscard]] Result<std::uint32_t> decode_chunk(std::string_view bytes, std::int64_t hour_begin_ms,
                                                 SampleTable& table);

/// The number of rows without decoding; 0: not a chunk.
[[nodiscard]] std::uint32_t rows_of_chunk(std::string_view bytes);

}  // namespace muster
