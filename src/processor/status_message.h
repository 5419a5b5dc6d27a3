#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "contract/status_document.h"

namespace muster {

/// The longest sleep a device can announce.
inline constexpr std::uint32_t next_contact_s_max = 30U * 24U * 3600U;

/// What a device says on status/{id}: its birth, its farewell, or that it goes to sleep.
struct StatusMessage {
    enum class Word : std::uint8_t { none, online, offline, sleeping };
    Word word = Word::none;
    std::uint32_t next_contact_s = 0;            ///< 0 = not announced; more than next_contact_s_max is taken as that
    std::optional<DeviceAttributes> attributes;  ///< a JSON message's; absent when they cannot be read
    bool bad_attributes = false;

    /// A device that says when it will be back goes to sleep, unless it says that it is there.
    [[nodiscard]] bool announces_sleep() const { return next_contact_s != 0 && word != Word::online; }
    [[nodiscard]] bool is_farewell() const {
        return !announces_sleep() && (word == Word::offline || word == Word::sleeping);
    }
};

/// Reads `ONLINE`, `OFFLINE` (any case), or {"status":…,"next_contact_s":…, attributes as parse_device_attributes}.
/// malformed: any other word, no JSON object, or a member of the wrong type.
[[nodiscard]] Result<StatusMessage> parse_status_message(std::string_view payload);

}  // namespace muster
