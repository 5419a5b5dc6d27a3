#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/crc32c.h"
#include "history/known_shapes.h"
#include "history/open_device.h"
#include "history/open_index.h"
#include "history/tail_segment.h"

namespace muster {

[[nodiscard]] constexpr HourNumber hour_of(std::int64_t epoch_ms) {
    return static_cast<HourNumber>(epoch_ms / 3'600'000);
}
[[nodiscard]] constexpr std::int64_t begin_of_hour(HourNumber hour) {
    return static_cast<std::int64_t>(hour) * 3'600'000;
}

/// A part of the fleet's open samples, and what of them the stored tail has. The owner locks `mutex` around every call.
/// Bounded by the owner, who seals; a device without open hours goes at the next save.
class OpenLane final {
 public:
    OpenLane() = default;
    OpenLane(const OpenLane&) = delete;
    OpenLane& operator=(const OpenLane&) = delete;

    mutable std::mutex mutex;

    /// Of a device's id: what tells its lane, and its place there.
    [[nodiscard]] static std::uint32_t hash_of(std::string_view device) { return crc32c(device); }
    [[nodiscard]] OpenDevice* find(std::uint32_t hash, std::string_view device) const {
        return devices_.find(hash, device);
    }
    [[nodiscard]] OpenDevice& find_or_add(std::uint32_t hash, std::string_view device);
    [[nodiscard]] const OpenIndex& index() const { return devices_; }  ///< to prefetch from
    [[nodiscard]] KnownShapes& shapes() { return shapes_; }
    void mark(OpenDevice& device) {
        if (!device.changed) {
            device.changed = true;
            changed_.push_back(&device);
        }
    }
    template <class Visit>
    void for_each(Visit&& visit) const {
        devices_.for_each(visit);
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
    void remove(const OpenDevice& device);
    void write_new(OpenDevice& device, bool anew, TailSegmentWriter& segment);
    [[nodiscard]] bool restore_rows(const TailEntry& entry);

    OpenIndex devices_;
    KnownShapes shapes_;
    std::vector<OpenDevice*> changed_;
    std::vector<OpenDevice*> by_number_;  ///< only while restoring
    std::uint32_t next_number_ = 1;
    std::uint64_t tail_bytes_ = 0;
    std::uint64_t anew_bytes_ = 0;  ///< of the tail when it last began
    bool trusted_ = true;
};

}  // namespace muster
