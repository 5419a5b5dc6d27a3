#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/session.h"

namespace muster {

[[nodiscard]] constexpr std::size_t worker_of(SessionHandle handle) {
    return static_cast<std::size_t>(handle >> 56U & 0x7FU);
}
/// It may be kept: a message for it is safe only when the session store has it.
[[nodiscard]] constexpr bool is_stored(SessionHandle handle) {
    return handle >> 63U != 0;
}

/// The sessions of one worker, by key and by handle. One thread. Bounded by connections_max and sessions_kept_max.
class SessionTable final {
 public:
    SessionTable(std::size_t worker, const mqtt::SessionLimits& limits) : worker_(worker), limits_(limits) {}

    [[nodiscard]] Session* find(std::string_view key);
    /// `key` must not be there yet.
    Session& create(const std::string& key, Role role);
    void erase(Session& session);

    [[nodiscard]] SessionHandle handle_of(const Session& session) const;
    /// Null when that session has ended.
    [[nodiscard]] Session* at(SessionHandle handle) const;
    [[nodiscard]] Session* at_slot(std::uint32_t slot) const;
    [[nodiscard]] std::size_t size() const { return sessions_.size(); }

 private:
    struct KeyHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
    };
    const std::size_t worker_;
    const mqtt::SessionLimits& limits_;
    std::unordered_map<std::string, Session, KeyHash, std::equal_to<>> sessions_;
    std::deque<Session*> slots_;  ///< a deque, because a vector's room for growth would cost more than its content
    std::vector<std::uint32_t> free_;
    std::uint32_t last_generation_ = 0;
};

}  // namespace muster
