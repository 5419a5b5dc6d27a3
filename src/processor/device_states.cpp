#include "processor/device_states.h"

#include <cstring>
#include <functional>
#include <utility>

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

DeviceStates::Key DeviceStates::key_of(std::string_view id) const {
    const Key key{id, hash_of(id)};
    __builtin_prefetch(&index_[key.hash & (index_.size() - 1)]);
    return key;
}

void DeviceStates::approach(const Key& key) const {
    const std::size_t mask = index_.size() - 1;
    for (std::size_t at = key.hash & mask; index_[at].after != 0; at = (at + 1) & mask) {
        if (index_[at].hash == key.hash) {
            return approach(index_[at].after - 1);
        }
    }
}

std::size_t DeviceStates::probe(const Key& key) const {
    const std::size_t mask = index_.size() - 1;
    std::size_t at = key.hash & mask;
    while (index_[at].after != 0 && !(index_[at].hash == key.hash && id(index_[at].after - 1) == key.id)) {
        at = (at + 1) & mask;
    }
    return at;
}

DeviceNumber DeviceStates::find(const Key& key) const {
    return index_[probe(key)].after - 1;  // none, where it is free
}

DeviceNumber DeviceStates::find_or_add(const Key& key) {
    if (const DeviceNumber found = find(key); found != none) {
        return found;
    }
    if (size_ == devices_max) {
        return none;
    }
    if ((std::size_t{size_} + 1U) * 4U > index_.size() * 3U) {
        grow();
    }
    const DeviceNumber number = size_++;
    add(number, key.id);
    index_[probe(key)] = {key.hash, number + 1};
    return number;
}

void DeviceStates::add(DeviceNumber number, std::string_view id) {
    if (number % block == 0) {
        states_.emplace_back(block);
    }
    if (number % block == worth_huge_page) {
        states_.back().use_huge_pages();
    }
    if (number % detail_block == 0) {
        details_.push_back(std::make_unique<DeviceDetail[]>(detail_block));
    }
    state(number) = DeviceState{};
    state(number).id = DeviceId(id, ids_);
}

void DeviceStates::grow() {
    HugeArray<Entry> larger(index_.size() * 2);
    larger.use_huge_pages();
    const std::size_t mask = larger.size() - 1;
    for (std::size_t i = 0; i < index_.size(); ++i) {
        const Entry& entry = index_[i];
        if (entry.after == 0) {
            continue;
        }
        std::size_t at = entry.hash & mask;
        while (larger[at].after != 0) {
            at = (at + 1) & mask;
        }
        larger[at] = entry;
    }
    index_ = std::move(larger);
}

}  // namespace muster
