#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"

namespace muster {

// What is new in a lane's open samples since the checkpoint before:
//
//   0 u8 version = 1 | 1 u32 CRC-32C of everything from byte 5 on
//   5 u8 kind: 0 goes on from the segment before, 1 begins anew: all before it are void
//     entries: varint number of the device << 2 | what
//       what 0   text id: from here on the number stands for this device
//            1   varint hour | varint bytes of its rows before | varint bytes | rows (open_rows.h)
//            2   varint hour: it has been sealed, its rows are void
//
// hours are counted from 1970.

using HourNumber = std::int32_t;

/// Writes one segment. One thread.
class TailSegmentWriter final {
 public:
    explicit TailSegmentWriter(bool begins_anew);

    void device(std::uint32_t number, std::string_view id);
    void rows(std::uint32_t number, HourNumber hour, std::size_t before, std::string_view bytes);
    void sealed(std::uint32_t number, HourNumber hour);

    [[nodiscard]] bool empty() const;
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    /// Its bytes; nothing may be added afterwards.
    [[nodiscard]] const std::string& finish();

 private:
    std::string bytes_;
    const bool begins_anew_;
};

/// One entry of a segment; views are of its bytes.
struct TailEntry {
    enum class What : std::uint8_t { device, rows, sealed };
    What what = What::device;
    std::uint32_t number = 0;
    std::string_view id;
    HourNumber hour = 0;
    std::uint64_t before = 0;
    std::string_view rows;
};

/// Calls `begin(begins anew)`, then `visit` for each entry. corrupt, malformed: what came before has been visited.
[[nodiscard]] Result<void> read_tail_segment(std::string_view bytes, FunctionRef<void(bool)> begin,
                                             FunctionRef<void(const TailEntry&)> visit);

}  // namespace muster
