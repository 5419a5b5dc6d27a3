#include "history/presence_codec.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "contract/identity.h"

namespace muster {
namespace {

constexpr std::uint8_t row_version = 1;
constexpr std::uint64_t sign_bit = 1ULL << 63U;
constexpr std::uint8_t moved_flag = 1;
constexpr std::size_t checked_from = 8;  ///< what a chunk's checksum covers begins here
constexpr std::size_t key_numbers_bytes = 2 * sizeof(std::int64_t);

void append_sortable(std::string& out, std::int64_t value) {
    const std::uint64_t flipped = static_cast<std::uint64_t>(value) ^ sign_bit;
    for (int shift = 56; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(flipped >> static_cast<unsigned>(shift)));
    }
}

std::int64_t read_sortable(std::string_view bytes) {
    std::uint64_t flipped = 0;
    for (const char byte : bytes.substr(0, sizeof(flipped))) {
        flipped = (flipped << 8U) | static_cast<std::uint8_t>(byte);
    }
    return static_cast<std::int64_t>(flipped ^ sign_bit);
}

void append_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) {
        out.push_back(static_cast<char>((value & 0x7fU) | 0x80U));
    }
    out.push_back(static_cast<char>(value));
}

void append_signed(std::string& out, std::int64_t value) {
    append_varint(out, (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63));
}

/// Of too many bytes the value is whatever, as of other wrong ones: the reader says that it is not ok, or the caller
/// that it makes no sense.
std::uint64_t read_varint(ByteReader& reader) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const auto byte = reader.number<std::uint8_t>();
        value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
        if ((byte & 0x80U) == 0) {
            break;
        }
    }
    return value;
}

std::int64_t read_signed(ByteReader& reader) {
    const std::uint64_t packed = read_varint(reader);
    return static_cast<std::int64_t>((packed >> 1U) ^ (~(packed & 1U) + 1));
}

void append_text(std::string& out, std::string_view text) {
    text = text.substr(0, UINT8_MAX);
    out.push_back(static_cast<char>(text.size()));
    out.append(text);
}

std::string_view read_text(ByteReader& reader) {
    return reader.raw(reader.number<std::uint8_t>());
}

/// Wraps around instead of overflowing: the bytes may be wrong.
Timestamp minus(Timestamp time, std::uint64_t ms) {
    return from_epoch_ms(static_cast<std::int64_t>(static_cast<std::uint64_t>(to_epoch_ms(time)) - ms));
}

bool is_state(std::uint8_t byte) {
    return byte <= static_cast<std::uint8_t>(PresenceState::unknown);
}

bool is_cause(std::uint8_t byte) {
    return byte <= static_cast<std::uint8_t>(Cause::admin);
}

tl::unexpected<Error> malformed_row() {
    return fail(ErrorCode::malformed, "presence row does not follow its format");
}

}  // namespace

std::string presence_prefix(std::string_view device) {
    std::string prefix(device);
    prefix.push_back('\0');  // no device id has it, so that no device's entries lie among another's
    return prefix;
}

std::string presence_end(std::string_view device) {
    std::string end(device);
    end.push_back('\1');
    return end;
}

std::string presence_key(std::string_view device, Timestamp time, std::int64_t offset) {
    std::string key = presence_prefix(device);
    append_sortable(key, to_epoch_ms(time));
    append_sortable(key, offset);
    return key;
}

std::string_view device_of_presence_key(std::string_view key) {
    return key.substr(0, std::min(key.find('\0'), key.size()));
}

std::optional<Timestamp> time_of_presence_key(std::string_view key, std::size_t device_bytes) {
    if (key.size() != device_bytes + 1 + key_numbers_bytes) {
        return std::nullopt;
    }
    return from_epoch_ms(read_sortable(key.substr(device_bytes + 1)));
}

std::string encode_presence(const Transition& transition) {
    std::string out;
    out.push_back(static_cast<char>(row_version));
    out.push_back(static_cast<char>(transition.state));
    out.push_back(static_cast<char>(transition.cause));
    out.push_back(static_cast<char>(transition.overlays));
    out.push_back(static_cast<char>(transition.moved ? moved_flag : 0));
    const Timestamp since = transition.since == Timestamp{} ? transition.time : transition.since;
    const auto lasted_ms =
        static_cast<std::uint64_t>(to_epoch_ms(transition.time)) - static_cast<std::uint64_t>(to_epoch_ms(since));
    append_signed(out, static_cast<std::int64_t>(lasted_ms));
    append_signed(out, transition.detected_in_ms);
    append_varint(out, transition.epoch);
    append_text(out, transition.gateway);
    append_text(out, transition.region);
    return out;
}

Result<Transition> decode_presence(std::string_view key, std::string_view bytes) {
    const std::size_t device_bytes = device_of_presence_key(key).size();
    const auto time = time_of_presence_key(key, device_bytes);
    PastPresence brief;
    if (device_bytes == 0 || !time || !decode_presence_brief(bytes, *time, brief)) {
        return malformed_row();
    }
    ByteReader reader(bytes);
    (void)reader.raw(4);
    const auto flags = reader.number<std::uint8_t>();
    (void)read_signed(reader);
    Transition transition;
    transition.time = *time;
    transition.state = brief.state;
    transition.cause = brief.cause;
    transition.overlays = brief.overlays;
    transition.since = brief.since;
    transition.moved = (flags & moved_flag) != 0;
    transition.detected_in_ms = read_signed(reader);
    transition.epoch = read_varint(reader);
    transition.gateway = read_text(reader);
    transition.region = read_text(reader);
    transition.offset = read_sortable(key.substr(device_bytes + 1 + sizeof(std::int64_t)));
    return transition;
}

bool decode_presence_brief(std::string_view bytes, Timestamp time, PastPresence& into) {
    ByteReader reader(bytes);
    const auto version = reader.number<std::uint8_t>();
    const auto state = reader.number<std::uint8_t>();
    const auto cause = reader.number<std::uint8_t>();
    into.overlays = reader.number<std::uint8_t>();
    (void)reader.number<std::uint8_t>();
    into.since = minus(time, static_cast<std::uint64_t>(read_signed(reader)));
    (void)read_varint(reader);
    (void)read_varint(reader);
    (void)read_text(reader);
    into.region = read_text(reader);
    if (!reader.ok() || !reader.at_end() || version != row_version || !is_state(state) || !is_cause(cause)) {
        return false;
    }
    into.state = static_cast<PresenceState>(state);
    into.cause = static_cast<Cause>(cause);
    return true;
}

// Baseline chunks -----------------------------------------------------------------------------------------------------

std::size_t PresenceChunkBuilder::region_number(std::string_view region) {
    // Neighbours in id order often share a region, and few regions share a chunk.
    const auto found = std::find(regions_.rbegin(), regions_.rend(), region);
    if (found != regions_.rend()) {
        return static_cast<std::size_t>(std::distance(found, regions_.rend())) - 1;
    }
    regions_.emplace_back(region);
    return regions_.size() - 1;
}

void PresenceChunkBuilder::add(const PastPresence& device) {
    const auto [mine, before] =
        std::mismatch(device.device.begin(), device.device.end(), previous_.begin(), previous_.end());
    const auto shared = static_cast<std::size_t>(std::distance(device.device.begin(), mine));
    if (empty()) {
        first_ = device.device;
    }
    ids_.push_back(static_cast<char>(shared));
    append_text(ids_, device.device.substr(shared));
    previous_ = device.device;
    states_.push_back(static_cast<char>(device.state));
    causes_.push_back(static_cast<char>(device.cause));
    overlays_.push_back(static_cast<char>(device.overlays));
    append_varint(region_column_, region_number(device.region));
    since_ms_.push_back(to_epoch_ms(device.since));
    ++devices_;
}

std::string PresenceChunkBuilder::take() {
    const std::int64_t newest_ms = since_ms_.empty() ? 0 : *std::max_element(since_ms_.begin(), since_ms_.end());
    std::string body;
    ByteWriter(body).number(newest_ms);
    append_varint(body, regions_.size());
    for (const std::string& region : regions_) {
        append_text(body, region);
    }
    body.append(ids_).append(states_).append(causes_).append(overlays_).append(region_column_);
    for (const std::int64_t since_ms : since_ms_) {
        append_varint(body, static_cast<std::uint64_t>(newest_ms) - static_cast<std::uint64_t>(since_ms));
    }
    std::string out;
    ByteWriter writer(out);
    writer.number(row_version);
    writer.number(std::uint8_t{0});
    writer.number(static_cast<std::uint16_t>(devices_));
    writer.number(crc32c(body));
    writer.raw(body);
    *this = PresenceChunkBuilder();
    return out;
}

Result<void> PresenceChunk::decode(std::string_view bytes) {
    devices_.clear();
    text_.clear();
    regions_.clear();
    ByteReader reader(bytes);
    const auto version = reader.number<std::uint8_t>();
    (void)reader.number<std::uint8_t>();
    const std::size_t count = reader.number<std::uint16_t>();
    const auto checksum = reader.number<std::uint32_t>();
    if (!reader.ok() || version != row_version || count == 0 || count > PresenceChunkBuilder::devices_max) {
        return malformed_row();
    }
    if (crc32c(bytes.substr(checked_from)) != checksum) {
        return fail(ErrorCode::corrupt, "presence baseline fails its checksum");
    }
    const Timestamp newest = from_epoch_ms(reader.number<std::int64_t>());
    const std::uint64_t regions = read_varint(reader);
    for (std::uint64_t i = 0; i < regions && reader.ok(); ++i) {
        regions_.emplace_back(read_text(reader));
    }
    devices_.resize(count);
    std::size_t previous_at = 0;
    std::size_t previous_bytes = 0;
    bool sensible = true;
    for (Device& device : devices_) {
        const std::size_t shared = reader.number<std::uint8_t>();
        const std::string_view rest = read_text(reader);
        const std::size_t id_bytes = shared + rest.size();
        sensible = sensible && shared <= previous_bytes && id_bytes <= device_id_bytes_max;
        if (!sensible || !reader.ok()) {
            break;
        }
        device.id_at = static_cast<std::uint32_t>(text_.size());
        device.id_bytes = static_cast<std::uint8_t>(id_bytes);
        text_.append(text_, previous_at, shared).append(rest);
        previous_at = device.id_at;
        previous_bytes = id_bytes;
    }
    const std::string_view states = reader.raw(count);
    const std::string_view causes = reader.raw(count);
    const std::string_view overlays = reader.raw(count);
    for (std::size_t i = 0; i < count && sensible && reader.ok(); ++i) {
        const auto region = read_varint(reader);
        sensible = region < regions_.size() && is_state(static_cast<std::uint8_t>(states[i])) &&
                   is_cause(static_cast<std::uint8_t>(causes[i]));
        devices_[i].state = static_cast<PresenceState>(states[i]);
        devices_[i].cause = static_cast<Cause>(causes[i]);
        devices_[i].overlays = static_cast<Overlays>(overlays[i]);
        devices_[i].region = static_cast<std::uint16_t>(region);
    }
    for (Device& device : devices_) {
        device.since = minus(newest, read_varint(reader));
    }
    if (!sensible || !reader.ok() || !reader.at_end()) {
        devices_.clear();
        return malformed_row();
    }
    return {};
}

PastPresence PresenceChunk::device(std::size_t index) const {
    const Device& device = devices_[index];
    return {id(index), device.state, device.cause, device.overlays, device.since, regions_[device.region]};
}

}  // namespace muster
