#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "storage/embedded_rocksdb.h"

namespace muster {

// How the presence history names its days, and the key that says that a day's baseline is whole: before all of the
// baseline's chunks, which come before all entries.

inline constexpr std::string_view presence_day_prefix = "presence:";
inline constexpr std::string_view presence_mark_key("\0", 1);
inline constexpr std::string_view presence_first_entry("\1", 1);
inline constexpr std::size_t presence_mark_bytes = 9;  ///< u8 version = 1 | u64 devices

inline constexpr std::string_view cannot_write_presence = "cannot write to the presence history";
inline constexpr std::string_view cannot_read_presence = "cannot read the presence history";

[[nodiscard]] inline std::string presence_family(std::chrono::sys_days day) {
    return std::string(presence_day_prefix).append(std::to_string(day.time_since_epoch().count()));
}

}  // namespace muster
