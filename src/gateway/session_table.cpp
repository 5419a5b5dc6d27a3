#include "gateway/session_table.h"

#include "base/assert.h"

namespace muster {
namespace {

constexpr std::uint32_t generation_mask = 0xFF'FFFF;

}  // namespace

SessionTable::SessionTable(std::size_t worker, const mqtt::SessionLimits& limits)
    : worker_(worker), limits_(limits), index_(0, HashOfKey{this}, SameKey{this}) {}

Session* SessionTable::find(std::string_view key) {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &*slots_[*found];
}

Session& SessionTable::create(std::string_view key, Role role) {
    if (free_.empty()) {
        free_.push_back(static_cast<Slot>(slots_.size()));
        slots_.emplace_back();
    }
    const Slot slot = free_.back();
    free_.pop_back();
    Session& session = slots_[slot].emplace(key, limits_, role);
    session.slot = slot;
    session.generation = ++last_generation_ & generation_mask;
    const bool is_new = index_.insert(slot).second;
    MUSTER_ASSERT(is_new);
    return session;
}

void SessionTable::erase(Session& session) {
    const Slot slot = session.slot;
    index_.erase(index_.find(*session.key));
    slots_[slot].reset();
    free_.push_back(slot);
}

SessionHandle SessionTable::handle_of(const Session& session) const {
    return (SessionHandle{session.is_stored} << 63U) | (static_cast<SessionHandle>(worker_) << 56U) |
           (static_cast<SessionHandle>(session.slot) << 24U) | session.generation;
}

Session* SessionTable::at(SessionHandle handle) {
    Session* session = at_slot(static_cast<std::uint32_t>(handle >> 24U));
    return session != nullptr && session->generation == (handle & generation_mask) ? session : nullptr;
}

Session* SessionTable::at_slot(std::uint32_t slot) {
    return slot < slots_.size() && slots_[slot] ? &*slots_[slot] : nullptr;
}

}  // namespace muster
