#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "history/open_device.h"

namespace muster {

/// Owns a lane's open devices and finds them by id: open addressing, at most half full. Unlike a library's table it
/// tells beforehand which memory a search will touch, as most of a search is waiting for memory. Callers give the hash
/// of the id, crc32c, whose lowest bits may be the same for all. The lane's lock is held; bounded by the lane's owner.
class OpenIndex final {
 public:
    [[nodiscard]] OpenDevice* find(std::uint32_t hash, std::string_view id) const;
    /// It is not there yet.
    OpenDevice& add(std::uint32_t hash, std::string_view id);
    void remove(std::uint32_t hash, std::string_view id);
    void clear();
    [[nodiscard]] std::size_t size() const { return size_; }

    // What find() will touch, in two steps: the second reads what the first has fetched.
    void prefetch(std::uint32_t hash) const {
        if (!slots_.empty()) {
            __builtin_prefetch(&slots_[home_of(hash)]);
        }
    }
    void prefetch_device(std::uint32_t hash) const {
        if (!slots_.empty() && slots_[home_of(hash)].device != nullptr) {
            __builtin_prefetch(slots_[home_of(hash)].device.get(), 1);
        }
    }

    template <class Visit>
    void for_each(Visit&& visit) const {
        for (const Slot& slot : slots_) {
            if (slot.device != nullptr) {
                visit(*slot.device);
            }
        }
    }

 private:
    struct Slot {
        std::uint32_t hash = 0;
        std::unique_ptr<OpenDevice> device;
    };
    /// Of the hash: the same for all devices of a lane.
    static constexpr unsigned lane_bits = 6;

    [[nodiscard]] std::size_t home_of(std::uint32_t hash) const { return (hash >> lane_bits) & (slots_.size() - 1); }
    [[nodiscard]] std::size_t next(std::size_t slot) const { return (slot + 1) & (slots_.size() - 1); }
    /// Where it is, or the free slot where it would be.
    [[nodiscard]] std::size_t place_of(std::uint32_t hash, std::string_view id) const;
    void grow();

    std::vector<Slot> slots_;  ///< as many as a power of two
    std::size_t size_ = 0;
};

}  // namespace muster
