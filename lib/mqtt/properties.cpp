#include "mqtt/properties.h"

#include <array>

#include "mqtt/wire.h"

namespace muster::mqtt {

namespace {

enum class Kind : std::uint8_t { unknown, byte, number_16, number_32, varint, text, binary, pair };

/// What section 2.2.2.2 says of one property.
struct Rule {
    Kind kind = Kind::unknown;
    std::uint16_t places = 0;  ///< one bit a PropertyPlace
    std::uint32_t least = 0;
    std::uint32_t most = 0xFFFF'FFFF;
};

template <class... Places>
constexpr std::uint16_t in(Places... places) {
    return static_cast<std::uint16_t>(((1U << static_cast<unsigned>(places)) | ...));
}

constexpr std::size_t rule_count = 43;

constexpr std::array<Rule, rule_count> make_rules() {
    using enum PropertyPlace;
    std::array<Rule, rule_count> rules{};
    const auto set = [&rules](PropertyId id, Rule rule) { rules[static_cast<std::size_t>(id)] = rule; };
    constexpr std::uint16_t reasons = in(connack, puback, pubrec, pubrel, pubcomp, suback, unsuback, disconnect, auth);
    set(PropertyId::payload_format, {Kind::byte, in(publish, will), 0, 1});
    set(PropertyId::message_expiry, {Kind::number_32, in(publish, will)});
    set(PropertyId::content_type, {Kind::text, in(publish, will)});
    set(PropertyId::response_topic, {Kind::text, in(publish, will)});
    set(PropertyId::correlation_data, {Kind::binary, in(publish, will)});
    set(PropertyId::subscription_identifier, {Kind::varint, in(publish, subscribe), 1});
    set(PropertyId::session_expiry, {Kind::number_32, in(connect, connack, disconnect)});
    set(PropertyId::assigned_client_id, {Kind::text, in(connack)});
    set(PropertyId::server_keep_alive, {Kind::number_16, in(connack)});
    set(PropertyId::authentication_method, {Kind::text, in(connect, connack, auth)});
    set(PropertyId::authentication_data, {Kind::binary, in(connect, connack, auth)});
    set(PropertyId::request_problem_information, {Kind::byte, in(connect), 0, 1});
    set(PropertyId::will_delay, {Kind::number_32, in(will)});
    set(PropertyId::request_response_information, {Kind::byte, in(connect), 0, 1});
    set(PropertyId::response_information, {Kind::text, in(connack)});
    set(PropertyId::server_reference, {Kind::text, in(connack, disconnect)});
    set(PropertyId::reason_string, {Kind::text, reasons});
    set(PropertyId::receive_maximum, {Kind::number_16, in(connect, connack), 1});
    set(PropertyId::topic_alias_maximum, {Kind::number_16, in(connect, connack)});
    set(PropertyId::topic_alias, {Kind::number_16, in(publish), 1});
    set(PropertyId::maximum_qos, {Kind::byte, in(connack), 0, 1});
    set(PropertyId::retain_available, {Kind::byte, in(connack), 0, 1});
    set(PropertyId::user_property,
        {Kind::pair, static_cast<std::uint16_t>(reasons | in(connect, publish, will, subscribe, unsubscribe))});
    set(PropertyId::maximum_packet_size, {Kind::number_32, in(connect, connack), 1});
    set(PropertyId::wildcard_subscription_available, {Kind::byte, in(connack), 0, 1});
    set(PropertyId::subscription_identifier_available, {Kind::byte, in(connack), 0, 1});
    set(PropertyId::shared_subscription_available, {Kind::byte, in(connack), 0, 1});
    return rules;
}

constexpr std::array<Rule, rule_count> rules = make_rules();

const Rule& rule_of(std::uint32_t id) {
    return id < rule_count ? rules[id] : rules[0];
}

/// Reads one property; strings are checked only when `check_text`.
Property read_property(WireReader& reader, bool check_text) {
    Property property;
    const std::uint32_t id = reader.varint();
    const auto text = [&] { return check_text ? reader.text() : reader.binary(); };
    property.id = static_cast<PropertyId>(id);
    switch (rule_of(id).kind) {
        case Kind::unknown:
            reader.fail("a property has an unknown identifier");
            break;
        case Kind::byte:
            property.number = reader.byte();
            break;
        case Kind::number_16:
            property.number = reader.number_16();
            break;
        case Kind::number_32:
            property.number = reader.number_32();
            break;
        case Kind::varint:
            property.number = reader.varint();
            break;
        case Kind::text:
            property.text = text();
            break;
        case Kind::binary:
            property.text = reader.binary();
            break;
        case Kind::pair:
            property.text = text();
            property.value = text();
            break;
    }
    return property;
}

bool may_repeat(PropertyId id, PropertyPlace place) {
    return id == PropertyId::user_property ||
           (id == PropertyId::subscription_identifier && place == PropertyPlace::publish);
}

Decoded<void> check(const Property& property, PropertyPlace place, std::uint64_t& seen) {
    const Rule& rule = rule_of(static_cast<std::uint32_t>(property.id));
    if ((rule.places & in(place)) == 0) {
        return refuse(ReasonCode::protocol_error, "a property is not allowed in this packet");
    }
    const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(property.id);
    if ((seen & bit) != 0 && !may_repeat(property.id, place)) {
        return refuse(ReasonCode::protocol_error, "a property is given twice");
    }
    seen |= bit;
    const bool has_number = rule.kind >= Kind::byte && rule.kind <= Kind::varint;
    if (has_number && (property.number < rule.least || property.number > rule.most)) {
        return property.id == PropertyId::topic_alias
                   ? refuse(ReasonCode::topic_alias_invalid, "a topic alias is 0")
                   : refuse(ReasonCode::protocol_error, "a property's value is out of range");
    }
    if (property.id == PropertyId::response_topic && !is_valid_topic_name(property.text)) {
        return refuse(ReasonCode::protocol_error, "a response topic is not a topic name");
    }
    return {};
}

}  // namespace

Property Property::take(std::string_view& rest) {
    WireReader reader(rest);
    const Property property = read_property(reader, false);
    rest = reader.rest();
    return property;
}

Decoded<Properties> Properties::validate(PropertyPlace place, std::string_view bytes) {
    WireReader reader(bytes);
    std::uint64_t seen = 0;
    while (!reader.at_end()) {
        const Property property = read_property(reader, true);
        if (!reader.ok()) {
            return tl::unexpected(reader.finish().error());
        }
        if (auto allowed = check(property, place, seen); !allowed) {
            return tl::unexpected(allowed.error());
        }
    }
    const auto seen_one = [seen](PropertyId id) {
        return (seen & (std::uint64_t{1} << static_cast<unsigned>(id))) != 0;
    };
    if (seen_one(PropertyId::authentication_data) && !seen_one(PropertyId::authentication_method)) {
        return refuse(ReasonCode::protocol_error, "authentication data without a method");
    }
    return Properties(bytes);
}

std::optional<std::uint32_t> Properties::number(PropertyId id) const {
    for (const Property& property : *this) {
        if (property.id == id) {
            return property.number;
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> Properties::text(PropertyId id) const {
    for (const Property& property : *this) {
        if (property.id == id) {
            return property.text;
        }
    }
    return std::nullopt;
}

bool Properties::has(PropertyId id) const {
    return number(id).has_value();
}

PropertyWriter& PropertyWriter::number(PropertyId id, std::uint32_t value) {
    put_byte(out_, static_cast<std::uint8_t>(id));
    switch (rule_of(static_cast<std::uint32_t>(id)).kind) {
        case Kind::byte:
            put_byte(out_, static_cast<std::uint8_t>(value));
            break;
        case Kind::number_16:
            put_16(out_, value & 0xFFFFU);
            break;
        case Kind::number_32:
            put_32(out_, value);
            break;
        case Kind::varint:
            put_varint(out_, value);
            break;
        default:
            MUSTER_ASSERT(false && "this property is not a number");
    }
    return *this;
}

PropertyWriter& PropertyWriter::text(PropertyId id, std::string_view value) {
    put_byte(out_, static_cast<std::uint8_t>(id));
    put_text(out_, value.substr(0, text_bytes_max));
    return *this;
}

PropertyWriter& PropertyWriter::user(std::string_view name, std::string_view value) {
    text(PropertyId::user_property, name);
    put_text(out_, value.substr(0, text_bytes_max));
    return *this;
}

PropertyWriter& PropertyWriter::copy(const Property& property) {
    switch (rule_of(static_cast<std::uint32_t>(property.id)).kind) {
        case Kind::text:
        case Kind::binary:
            return text(property.id, property.text);
        case Kind::pair:
            return user(property.text, property.value);
        default:
            return number(property.id, property.number);
    }
}

}  // namespace muster::mqtt
