#include "history/open_index.h"

#include <utility>

namespace muster {
namespace {

constexpr std::size_t slots_min = 16;

}  // namespace

std::size_t OpenIndex::place_of(std::uint32_t hash, std::string_view id) const {
    std::size_t at = home_of(hash);
    while (slots_[at].device != nullptr && (slots_[at].hash != hash || slots_[at].device->id != id)) {
        at = next(at);
    }
    return at;
}

OpenDevice* OpenIndex::find(std::uint32_t hash, std::string_view id) const {
    return slots_.empty() ? nullptr : slots_[place_of(hash, id)].device.get();
}

void OpenIndex::grow() {
    std::vector<Slot> before(slots_.empty() ? slots_min : 2 * slots_.size());
    before.swap(slots_);
    for (Slot& slot : before) {
        if (slot.device != nullptr) {
            std::size_t at = home_of(slot.hash);
            while (slots_[at].device != nullptr) {
                at = next(at);
            }
            slots_[at] = std::move(slot);
        }
    }
}

OpenDevice& OpenIndex::add(std::uint32_t hash, std::string_view id) {
    if (2 * (size_ + 1) > slots_.size()) {
        grow();
    }
    Slot& slot = slots_[place_of(hash, id)];
    slot.hash = hash;
    slot.device = std::make_unique<OpenDevice>();
    slot.device->id = id;
    ++size_;
    return *slot.device;
}

/// Those behind it move up, so that no search meets a gap before it has come to what it looks for.
void OpenIndex::remove(std::uint32_t hash, std::string_view id) {
    if (find(hash, id) == nullptr) {
        return;
    }
    std::size_t gap = place_of(hash, id);
    slots_[gap].device.reset();
    --size_;
    for (std::size_t at = next(gap); slots_[at].device != nullptr; at = next(at)) {
        const std::size_t home = home_of(slots_[at].hash);
        // From its home to where it is, is the gap on the way?
        if (((at - home) & (slots_.size() - 1)) >= ((at - gap) & (slots_.size() - 1))) {
            slots_[gap] = std::move(slots_[at]);
            gap = at;
        }
    }
}

void OpenIndex::clear() {
    slots_.clear();
    size_ = 0;
}

}  // namespace muster
