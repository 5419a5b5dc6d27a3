#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bus/bus.h"

namespace muster {

// The stored form of records (docs/data-formats.md, "Bus"). A batch holds the records of one partition that were
// committed together. Little-endian:
//
//   batch   0 u8  version = 1 | 1 u8[3] zero | 4 u32 CRC-32C of everything from byte 8 on
//           8 i64 offset of the first record | 16 u32 number of records | 20 u32 bytes of records | 24 records
//   record  0 u32 bytes of this record, these included | 4 u32 key bytes | 8 u32 value bytes
//          12 u8  flags (bit 0: tombstone) | 13 u8 number of headers | 14 u16 zero | 16 i64 time, epoch ms
//          24 for each header: u16 name bytes, u32 value bytes, name, value
//           … key | value
//
// Records of a batch have consecutive offsets.

inline constexpr std::size_t batch_header_bytes = 24;
inline constexpr std::size_t record_prefix_bytes = 24;
inline constexpr std::size_t header_prefix_bytes = 6;
/// A batch is closed once it has so many bytes: what one read of the store brings into memory, plus one record.
inline constexpr std::size_t batch_bytes_max = 1U << 20U;

/// Bytes that the record will take in a batch.
[[nodiscard]] std::size_t stored_bytes(const ProducerRecord& record);
/// Appends the record's stored form to `out`.
void append_record(std::string& out, const ProducerRecord& record, std::size_t stored_bytes);

/// Sealed records of one partition with consecutive offsets [base, end). Immutable, shared by the tail and its readers.
struct RecordBatch {
    Offset base = 0;
    Offset end = 0;
    std::string bytes;
};

/// Fills in the header of a batch whose records were appended. `bytes` begins with batch_header_bytes of room.
[[nodiscard]] RecordBatch seal_batch(std::string bytes, Offset base, std::uint32_t records);
/// Checks version, length and checksum. malformed: not a batch of ours; corrupt: damaged.
[[nodiscard]] Result<RecordBatch> open_batch(std::string_view bytes);

/// Steps through the records of a batch, which it does not own. One thread.
class RecordCursor final {
 public:
    explicit RecordCursor(const RecordBatch& batch)
        : rest_(std::string_view(batch.bytes).substr(batch_header_bytes)), offset_(batch.base), end_(batch.end) {}

    /// Fills in all of `record` but its topic and partition; its headers are valid until the next call. False at the
    /// end, or when the rest does not follow the format: then ok() is false.
    [[nodiscard]] bool next(ConsumerRecord& record);
    [[nodiscard]] bool ok() const { return ok_; }

 private:
    bool stop_malformed();
    bool read_headers(std::string_view& body, std::size_t count);

    std::string_view rest_;
    Offset offset_;
    Offset end_;
    bool ok_ = true;
    std::array<RecordHeader, record_headers_max> headers_;
};

}  // namespace muster
