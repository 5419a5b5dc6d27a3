#include "mqtt/packed_will.h"

#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "mqtt/topic.h"

namespace muster::mqtt {

namespace {

constexpr std::uint8_t qos_mask = 3;
constexpr std::uint8_t flag_retain = 4;
constexpr std::uint8_t flag_expires = 8;
constexpr std::uint8_t flags_known = qos_mask | flag_retain | flag_expires;

// u32 bytes of the block | u8 flags | u32 expiry s | u32 delay s | u16 bytes and topic | u16 bytes and payload |
// properties
constexpr std::size_t head_bytes = 4 + 1 + 4 + 4 + 2 + 2;

/// A view of a block.
struct Unpacked {
    std::uint8_t flags = 0;
    std::uint32_t expiry_s = 0;
    std::uint32_t delay_s = 0;
    std::string_view topic{};
    std::string_view payload{};
    std::string_view properties{};
    bool is_whole = false;

    explicit Unpacked(std::string_view bytes) {
        ByteReader reader(bytes);
        const auto size = reader.number<std::uint32_t>();
        flags = reader.number<std::uint8_t>();
        expiry_s = reader.number<std::uint32_t>();
        delay_s = reader.number<std::uint32_t>();
        topic = reader.raw(reader.number<std::uint16_t>());
        payload = reader.raw(reader.number<std::uint16_t>());
        is_whole = reader.ok() && size == bytes.size();
        properties = reader.rest();
    }
};

std::unique_ptr<char[]> block_of(std::string_view bytes) {
    std::unique_ptr<char[]> block(new char[bytes.size()]);
    std::memcpy(block.get(), bytes.data(), bytes.size());
    return block;
}

}  // namespace

PackedWill::PackedWill(const Will& will) {
    std::string properties;
    const std::optional<std::uint32_t> expiry_s = keep_properties(will.properties, properties);
    const std::size_t size = head_bytes + will.topic.size() + will.payload.size() + properties.size();
    std::string packed;
    packed.reserve(size);
    ByteWriter writer(packed);
    writer.number(static_cast<std::uint32_t>(size));
    writer.number(
        static_cast<std::uint8_t>(will.qos | (will.retain ? flag_retain : 0) | (expiry_s ? flag_expires : 0)));
    writer.number(expiry_s.value_or(0));
    writer.number(will.properties.number(PropertyId::will_delay).value_or(0));
    writer.number(static_cast<std::uint16_t>(will.topic.size()));
    writer.raw(will.topic);
    writer.number(static_cast<std::uint16_t>(will.payload.size()));
    writer.raw(will.payload);
    writer.raw(properties);
    block_ = block_of(packed);
}

std::string_view PackedWill::bytes() const {
    if (!block_) {
        return {};
    }
    std::uint32_t size = 0;
    std::memcpy(&size, block_.get(), sizeof(size));
    return {block_.get(), size};
}

std::uint32_t PackedWill::delay_s() const {
    return block_ ? Unpacked(bytes()).delay_s : 0;
}

MessagePtr PackedWill::published_at(Millis now, std::uint64_t publisher) const {
    const Unpacked will(bytes());
    auto message = std::make_shared<Message>();
    message->topic = will.topic;
    message->payload = will.payload;
    message->properties = will.properties;
    if ((will.flags & flag_expires) != 0) {
        message->expiry_s = will.expiry_s;
    }
    message->published = now;
    message->publisher = publisher;
    message->qos = will.flags & qos_mask;
    message->retain = (will.flags & flag_retain) != 0;
    return message;
}

std::optional<PackedWill> PackedWill::parse(std::string_view bytes) {
    const Unpacked will(bytes);
    const bool is_will = will.is_whole && (will.flags & ~flags_known) == 0 && (will.flags & qos_mask) <= 2 &&
                         is_valid_topic_name(will.topic) &&
                         Properties::validate(PropertyPlace::will, will.properties).has_value();
    if (!is_will) {
        return {};
    }
    PackedWill packed;
    packed.block_ = block_of(bytes);
    return packed;
}

}  // namespace muster::mqtt
