#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "gateway/session.h"

namespace muster {

[[nodiscard]] constexpr std::size_t worker_of(SessionHandle handle) {
    return static_cast<std::size_t>(handle >> 56U & 0x7FU);
}
/// It may be kept: a message for it is safe only when the session store has it.
[[nodiscard]] constexpr bool is_stored(SessionHandle handle) {
    return handle >> 63U != 0;
}

/// The sessions of one worker, by key and by handle: each in its slot, and the slots' numbers in an index of about 8
/// bytes a session. One thread. Bounded by connections_max and sessions_kept_max; slots are used again, never given
/// back.
class SessionTable final {
 public:
    SessionTable(std::size_t worker, const mqtt::SessionLimits& limits);
    SessionTable(const SessionTable&) = delete;
    SessionTable& operator=(const SessionTable&) = delete;

    [[nodiscard]] Session* find(std::string_view key);
    /// `key` must not be there yet.
    Session& create(std::string_view key, Role role);
    void erase(Session& session);

    [[nodiscard]] SessionHandle handle_of(const Session& session) const;
    /// Null when that session has ended.
    [[nodiscard]] Session* at(SessionHandle handle);
    [[nodiscard]] Session* at_slot(std::uint32_t slot);
    [[nodiscard]] std::size_t size() const { return index_.size(); }

 private:
    using Slot = std::uint32_t;
    struct HashOfKey {
        using is_transparent = void;
        const SessionTable* table;
        std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
        std::size_t operator()(Slot slot) const { return (*this)(table->key_of(slot)); }
    };
    struct SameKey {
        using is_transparent = void;
        const SessionTable* table;
        bool operator()(Slot left, Slot right) const {
            return left == right || table->key_of(left) == table->key_of(right);
        }
        bool operator()(std::string_view key, Slot slot) const { return table->key_of(slot) == key; }
        bool operator()(Slot slot, std::string_view key) const { return table->key_of(slot) == key; }
    };
    [[nodiscard]] std::string_view key_of(Slot slot) const { return *slots_[slot]->key; }

    const std::size_t worker_;
    const mqtt::SessionLimits& limits_;
    std::deque<std::optional<Session>> slots_;  ///< a deque: sessions stay where they are
    boost::unordered_flat_set<Slot, HashOfKey, SameKey> index_;
    std::vector<Slot> free_;
    std::uint32_t last_generation_ = 0;
};

}  // namespace muster
