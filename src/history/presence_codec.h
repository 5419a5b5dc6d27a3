#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/history_store.h"

namespace muster {

// The rows of the embedded presence history (docs/data-formats.md, "Presence history"). Keys sort by device, then time:
//
//   key of an entry       device | 0x00 | u64 time | u64 offset          numbers big-endian, with the sign bit flipped
//   key of a baseline     0x00 | first device of the chunk               no device id begins with 0x00
//
// Values; *varint* is LEB128, *signed* a varint with zigzag, *text* u8 length and bytes:
//
//   entry     0 u8 version = 1 | 1 u8 state | 2 u8 cause | 3 u8 overlays | 4 u8 flags, bit 0: moved only |
//             5 signed time - since | signed detected_in_ms | varint epoch | text gateway | text region
//   baseline  0 u8 version = 1 | 1 u8 zero | 2 u16 devices | 4 u32 CRC-32C of all from byte 8 on | 8 i64 newest since |
//             varint regions, text each | for each device u8 bytes shared with the id before, text rest |
//             u8 state each | u8 cause each | u8 overlays each | varint region each | varint newest - since each

[[nodiscard]] std::string presence_key(std::string_view device, Timestamp time, std::int64_t offset);
/// What all entries of a device begin with.
[[nodiscard]] std::string presence_prefix(std::string_view device);
/// The first key that is no longer the device's.
[[nodiscard]] std::string presence_end(std::string_view device);
/// The device of an entry's key; empty when it has none.
[[nodiscard]] std::string_view device_of_presence_key(std::string_view key);
/// The time of an entry's key whose device has this length; nullopt when it is no such key.
[[nodiscard]] std::optional<Timestamp> time_of_presence_key(std::string_view key, std::size_t device_bytes);

[[nodiscard]] std::string encode_presence(const Transition& transition);
/// malformed: not a row that encode_presence wrote under this key.
[[nodiscard]] Result<Transition> decode_presence(std::string_view key, std::string_view bytes);
/// The part of an entry that says how the device was from then on; `region` points into `bytes`. `device` is left
/// alone.
[[nodiscard]] bool decode_presence_brief(std::string_view bytes, Timestamp time, PastPresence& into);

/// Packs devices of ascending id into one baseline chunk. Reused from chunk to chunk.
class PresenceChunkBuilder final {
 public:
    static constexpr std::size_t devices_max = 512;

    void add(const PastPresence& device);
    [[nodiscard]] bool full() const { return devices_ == devices_max; }
    [[nodiscard]] bool empty() const { return devices_ == 0; }
    [[nodiscard]] const std::string& first_device() const { return first_; }
    /// The packed chunk; the builder is empty again.
    [[nodiscard]] std::string take();

 private:
    [[nodiscard]] std::size_t region_number(std::string_view region);

    std::size_t devices_ = 0;
    std::string first_;
    std::string previous_;
    std::vector<std::string> regions_;
    std::string ids_;
    std::string states_;
    std::string causes_;
    std::string overlays_;
    std::string region_column_;
    std::vector<std::int64_t> since_ms_;
};

/// A baseline chunk unpacked; views point into it until the next decode. Reused from chunk to chunk.
class PresenceChunk final {
 public:
    /// malformed or corrupt: not what a PresenceChunkBuilder packed; the chunk is empty then.
    [[nodiscard]] Result<void> decode(std::string_view bytes);
    [[nodiscard]] std::size_t size() const { return devices_.size(); }
    [[nodiscard]] PastPresence device(std::size_t index) const;
    [[nodiscard]] std::string_view id(std::size_t index) const {
        return std::string_view(text_).substr(devices_[index].id_at, devices_[index].id_bytes);
    }

 private:
    struct Device {
        std::uint32_t id_at = 0;  ///< in text_
        std::uint8_t id_bytes = 0;
        PresenceState state = PresenceState::never_seen;
        Cause cause = Cause::none;
        Overlays overlays = 0;
        std::uint16_t region = 0;
        Timestamp since{};
    };

    std::string text_;
    std::vector<std::string> regions_;
    std::vector<Device> devices_;
};

}  // namespace muster
