#include "history/history_codec.h"

#include "base/bytes.h"

namespace muster {
namespace {

constexpr std::uint8_t row_version = 1;
constexpr std::uint64_t sign_bit = 1ULL << 63U;

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

void write_text(ByteWriter& writer, std::string_view text) {
    writer.number(static_cast<std::uint8_t>(text.size()));
    writer.raw(text);
}

tl::unexpected<Error> malformed_row() {
    return fail(ErrorCode::malformed, "history row does not follow its format");
}

}  // namespace

std::string device_prefix(std::string_view device) {
    std::string prefix(device);
    prefix.push_back('\0');  // no device id has it, so that no device's keys lie among another's
    return prefix;
}

std::string time_key(std::string_view device, Timestamp time) {
    std::string key = device_prefix(device);
    append_sortable(key, to_epoch_ms(time));
    return key;
}

std::string transition_key(std::string_view device, Timestamp time, std::int64_t offset) {
    std::string key = time_key(device, time);
    append_sortable(key, offset);
    return key;
}

std::optional<Timestamp> time_of_key(std::string_view key, std::size_t prefix_bytes) {
    if (key.size() < prefix_bytes + sizeof(std::int64_t)) {
        return std::nullopt;
    }
    return from_epoch_ms(read_sortable(key.substr(prefix_bytes)));
}

std::string encode_transition(const Transition& transition) {
    std::string out;
    ByteWriter writer(out);
    writer.number(row_version);
    writer.number(static_cast<std::uint8_t>(transition.state));
    writer.number(static_cast<std::uint8_t>(transition.cause));
    writer.number(transition.overlays);
    writer.number(transition.epoch);
    writer.number(transition.detected_in_ms);
    write_text(writer, std::string_view(transition.gateway).substr(0, UINT8_MAX));
    return out;
}

Result<Transition> decode_transition(std::string_view key, std::size_t prefix_bytes, std::string_view bytes) {
    const auto time = time_of_key(key, prefix_bytes);
    if (!time || key.size() != prefix_bytes + 2 * sizeof(std::int64_t)) {
        return malformed_row();
    }
    ByteReader reader(bytes);
    const auto version = reader.number<std::uint8_t>();
    const auto state = reader.number<std::uint8_t>();
    const auto cause = reader.number<std::uint8_t>();
    Transition transition;
    transition.time = *time;
    transition.offset = read_sortable(key.substr(prefix_bytes + sizeof(std::int64_t)));
    transition.overlays = reader.number<std::uint8_t>();
    transition.epoch = reader.number<std::uint64_t>();
    transition.detected_in_ms = reader.number<std::int64_t>();
    transition.gateway = reader.raw(reader.number<std::uint8_t>());
    if (!reader.ok() || !reader.at_end() || version != row_version ||
        state > static_cast<std::uint8_t>(PresenceState::unknown) || cause > static_cast<std::uint8_t>(Cause::admin)) {
        return malformed_row();
    }
    transition.state = static_cast<PresenceState>(state);
    transition.cause = static_cast<Cause>(cause);
    return transition;
}

}  // namespace muster
