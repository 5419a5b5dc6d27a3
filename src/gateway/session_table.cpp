#include "gateway/session_table.h"

#include "base/assert.h"

namespace muster {
namespace {

constexpr std::uint32_t generation_mask = 0xFF'FFFF;

}  // namespace

Session* SessionTable::find(std::string_view key) {
    const auto found = sessions_.find(key);
    return found == sessions_.end() ? nullptr : &found->second;
}

Session& SessionTable::create(const std::string& key, Role role) {
    const auto [place, is_new] = sessions_.try_emplace(key, limits_, role);
    MUSTER_ASSERT(is_new);
    Session& session = place->second;
    session.key = &place->first;
    if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(slots_.size()));
        slots_.push_back(nullptr);
    }
    session.slot = free_.back();
    free_.pop_back();
    slots_[session.slot] = &session;
    session.generation = ++last_generation_ & generation_mask;
    return session;
}

void SessionTable::erase(Session& session) {
    slots_[session.slot] = nullptr;
    free_.push_back(session.slot);
    sessions_.erase(sessions_.find(*session.key));
}

SessionHandle SessionTable::handle_of(const Session& session) const {
    return (SessionHandle{session.is_stored} << 63U) | (static_cast<SessionHandle>(worker_) << 56U) |
           (static_cast<SessionHandle>(session.slot) << 24U) | session.generation;
}

Session* SessionTable::at(SessionHandle handle) const {
    Session* session = at_slot(static_cast<std::uint32_t>(handle >> 24U));
    return session != nullptr && session->generation == (handle & generation_mask) ? session : nullptr;
}

Session* SessionTable::at_slot(std::uint32_t slot) const {
    return slot < slots_.size() ? slots_[slot] : nullptr;
}

}  // namespace muster
