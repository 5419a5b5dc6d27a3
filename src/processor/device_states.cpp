#include "processor/device_states.h"

#include <cstring>
#include <functional>

namespace muster {
namespace {

constexpr std::size_t index_entries_at_start = 1024;

std::uint32_t hash_of(std::string_view id) {
    const auto hash = static_cast<std::uint64_t>(std::hash<std::string_view>{}(id));
    return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
}

}  // namespace

DeviceId::DeviceId(std::string_view id, BatchArena& arena) : size_(static_cast<std::uint8_t>(id.size())) {
    if (id.size() <= inline_bytes) {
        std::memcpy(bytes_.data(), id.data(), id.size());
    } else {
        const char* const kept = arena.copy(id).data();
        std::memcpy(bytes_.data(), static_cast<const void*>(&kept), sizeof(kept));
    }
}

std::string_view DeviceId::view() const {
    if (size_ <= inline_bytes) {
        return {bytes_.data(), size_};
    }
    const char* kept = nullptr;
    std::memcpy(static_cast<void*>(&kept), bytes_.data(), sizeof(kept));
    return {kept, size_};
}

DeviceStates::DeviceStates() : index_(index_entries_at_start) {}

std::size_t DeviceStates::probe(std::string_view id, std::uint32_t hash) const {
    const std::size_t mask = index_.size() - 1;
    std::size_t at = hash & mask;
    while (index_[at].number != none && !(index_[at].hash == hash && this->id(index_[at].number) == id)) {
        at = (at + 1) & mask;
    }
    return at;
}

DeviceNumber DeviceStates::find(std::string_view id) const {
    return index_[probe(id, hash_of(id))].number;
}

DeviceNumber DeviceStates::find_or_add(std::string_view id) {
    const std::uint32_t hash = hash_of(id);
    std::size_t at = probe(id, hash);
    if (index_[at].number != none) {
        return index_[at].number;
    }
    if (size_ == devices_max) {
        return none;
    }
    if ((std::size_t{size_} + 1U) * 4U > index_.size() * 3U) {
        grow();
        at = probe(id, hash);
    }
    if (size_ % block == 0) {
        states_.push_back(std::make_unique<DeviceState[]>(block));
        details_.push_back(std::make_unique<DeviceDetail[]>(block));
    }
    const DeviceNumber number = size_++;
    state(number).id = DeviceId(id, ids_);
    index_[at] = {hash, number};
    return number;
}

void DeviceStates::grow() {
    std::vector<Entry> old(index_.size() * 2);
    old.swap(index_);
    const std::size_t mask = index_.size() - 1;
    for (const Entry& entry : old) {
        if (entry.number == none) {
            continue;
        }
        std::size_t at = entry.hash & mask;
        while (index_[at].number != none) {
            at = (at + 1) & mask;
        }
        index_[at] = entry;
    }
}

}  // namespace muster
