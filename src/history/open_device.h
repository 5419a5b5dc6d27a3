#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "history/open_rows.h"
#include "history/tail_segment.h"

namespace muster {

inline constexpr std::size_t cache_line_bytes = 64;

/// The open rows of one device: an hour each, few at a time. Owned by its lane's OpenIndex. What an append reads comes
/// first, within one cache line.
struct alignas(cache_line_bytes) OpenDevice {
    struct alignas(cache_line_bytes) Hour {
        HourNumber hour = 0;
        std::uint32_t saved_bytes = 0;  ///< of the rows, in the stored tail
        OpenRows rows;
    };

    std::string id;
    std::vector<Hour> hours;
    std::uint32_t number = 0;        ///< in the tail; 0: none yet
    bool changed = false;            ///< since the last save
    std::vector<HourNumber> sealed;  ///< since the last save

    [[nodiscard]] Hour* find(HourNumber hour) {
        for (Hour& one : hours) {
            if (one.hour == hour) {
                return &one;
            }
        }
        return nullptr;
    }
    void remove(HourNumber hour) {
        std::erase_if(hours, [hour](const Hour& one) { return one.hour == hour; });
        sealed.push_back(hour);
    }

    // What the next append will touch, in two steps: the second reads what the first has fetched.
    void prefetch_hours() const {
        if (!hours.empty()) {
            const auto* const newest = reinterpret_cast<const char*>(&hours.back());
            for (std::size_t at = 0; at < sizeof(Hour); at += cache_line_bytes) {
                __builtin_prefetch(newest + at, 1);
            }
        }
    }
    void prefetch_rows() const {
        if (!hours.empty()) {
            hours.back().rows.prefetch();
        }
    }
};

}  // namespace muster
