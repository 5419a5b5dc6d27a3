#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "history/open_rows.h"
#include "history/tail_segment.h"

namespace muster {

[[nodiscard]] constexpr HourNumber hour_of(std::int64_t epoch_ms) {
    return static_cast<HourNumber>(epoch_ms / 3'600'000);
}
[[nodiscard]] constexpr std::int64_t begin_of_hour(HourNumber hour) {
    return static_cast<std::int64_t>(hour) * 3'600'000;
}

inline constexpr std::size_t cache_line_bytes = 64;

/// The open rows of one device: an hour each, few at a time. Owned by its lane.
struct OpenDevice {
    struct Hour {
        HourNumber hour = 0;
        std::uint32_t saved_bytes = 0;  ///< of the rows, in the stored tail
        OpenRows rows;
    };

    std::string id;
    std::vector<Hour> hours;
    std::vector<HourNumber> sealed;  ///< since the last save
    std::uint32_t number = 0;        ///< in the tail; 0: none yet
    bool changed = false;            ///< since the last save

    [[nodiscard]] Hour* find(HourNumber hour);
    void remove(HourNumber hour);
    // What the next append will touch, in two steps: the second reads what the first has fetched.
    void prefetch_hours() const {
        if (!hours.empty()) {
            const auto* const newest = reinterpret_cast<const char*>(&hours.back());
            __builtin_prefetch(newest, 1);
            __builtin_prefetch(newest + cache_line_bytes, 1);
        }
    }
    void prefetch_rows() const {
        if (!hours.empty()) {
            hours.back().rows.prefetch();
        }
    }
};

/// A part of the fleet's open samples, and what of them the stored tail has. The owner locks `mutex` around every call.
/// Bounded by the owner, who seals; a device without open hours goes at the next save.
class OpenLane final {
 public:
    OpenLane() = default;
    OpenLane(const OpenLane&) = delete;
    OpenLane& operator=(const OpenLane&) = delete;

    mutable std::mutex mutex;

    [[nodiscard]] OpenDevice* find(std::string_view device) const;
    [[nodiscard]] OpenDevice& find_or_add(std::string_view device);
    void mark(OpenDevice& device);
    template <class Visit>
    void for_each(Visit&& visit) const {
        for (const auto& [id, device] : devices_) {
            visit(*device);
        }
    }
    [[nodiscard]] std::size_t devices() const { return devices_.size(); }

    /// What the stored tail lacks, or all there is when it begins anew. After it has been stored: saved().
    [[nodiscard]] TailSegmentWriter unsaved(bool anew);
    void saved(std::size_t bytes, bool anew);
    /// The stored tail should begin anew: it is mostly void, or not known to be whole.
    [[nodiscard]] bool wants_anew() const;
    void distrust_tail() { trusted_ = false; }

    /// Takes in the next stored segment, at start-up. False: a part was left out, as it is damaged or does not follow
    /// what came before.
    [[nodiscard]] bool restore(std::string_view segment);
    /// After the last one. Returns how many hours could not be read.
    [[nodiscard]] std::size_t end_restore();

    std::uint64_t first_segment = 0;  ///< of the stored tail
    std::uint64_t next_segment = 0;

 private:
    void forget_all();
    void write_new(OpenDevice& device, bool anew, TailSegmentWriter& segment);
    [[nodiscard]] bool restore_rows(const TailEntry& entry);

    /// Keys view the devices' ids.
    boost::unordered_flat_map<std::string_view, std::unique_ptr<OpenDevice>> devices_;
    std::vector<OpenDevice*> changed_;
    std::vector<OpenDevice*> by_number_;  ///< only while restoring
    std::uint32_t next_number_ = 1;
    std::uint64_t tail_bytes_ = 0;
    std::uint64_t anew_bytes_ = 0;  ///< of the tail when it last began
    bool trusted_ = true;
};

}  // namespace muster
