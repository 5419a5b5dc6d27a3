#include "processor/device_table.h"

#include <functional>

namespace muster {
namespace {

constexpr std::size_t index_entries_at_start = 1024;

std::uint32_t hash_of(std::string_view id) {
    const auto hash = static_cast<std::uint64_t>(std::hash<std::string_view>{}(id));
    return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
}

}  // namespace

DeviceTable::DeviceTable() : index_(index_entries_at_start) {}

std::size_t DeviceTable::probe(std::string_view id, std::uint32_t hash) const {
    const std::size_t mask = index_.size() - 1;
    std::size_t at = hash & mask;
    while (index_[at].number != none && !(index_[at].hash == hash && this->id(index_[at].number) == id)) {
        at = (at + 1) & mask;
    }
    return at;
}

DeviceNumber DeviceTable::find(std::string_view id) const {
    return index_[probe(id, hash_of(id))].number;
}

DeviceNumber DeviceTable::find_or_add(std::string_view id) {
    const std::uint32_t hash = hash_of(id);
    std::size_t at = probe(id, hash);
    if (index_[at].number != none) {
        return index_[at].number;
    }
    if (size_ == devices_max) {
        return none;
    }
    if ((size_ + 1U) * 4U > index_.size() * 3U) {
        grow();
        at = probe(id, hash);
    }
    if (size_ % block == 0) {
        blocks_.push_back(std::make_unique<Block>());
    }
    const DeviceNumber number = size_++;
    detail(number).id = ids_.copy(id).data();
    detail(number).id_bytes = static_cast<std::uint8_t>(id.size());
    index_[at] = {hash, number};
    return number;
}

void DeviceTable::grow() {
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
