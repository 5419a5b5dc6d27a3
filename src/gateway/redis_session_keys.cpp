#include "gateway/redis_session_keys.h"

#include "base/assert.h"

namespace muster {
namespace {

constexpr std::string_view document_field = "d";

void append_big_endian(std::uint64_t number, unsigned bytes, std::string& out) {
    for (unsigned i = bytes; i-- > 0;) {
        out += static_cast<char>(number >> (8 * i) & 0xFFU);
    }
}

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t number = 0;
    for (const char byte : bytes) {
        number = number << 8U | static_cast<std::uint8_t>(byte);
    }
    return number;
}

std::string tagged(std::string_view prefix, std::string_view tag, std::string_view rest) {
    std::string key(prefix);
    key += '{';
    for (const char byte : tag) {
        if (byte == '}') {
            key += "%7D";
        } else if (byte == '%') {
            key += "%25";
        } else {
            key += byte;
        }
    }
    key += '}';
    key += rest;
    return key;
}

}  // namespace

std::string redis_session_key(std::string_view session) {
    return tagged("muster:session:", session, "");
}

std::string redis_kept_key(std::string_view session, std::string_view gateway) {
    std::string key = tagged("muster:kept:", session, ":");
    key += gateway;
    return key;
}

std::string redis_gateway_key(std::string_view gateway) {
    return tagged("muster:gateway:", gateway, "");
}

std::string redis_kept_index_key(std::string_view gateway) {
    return tagged("muster:gateway:", gateway, ":kept");
}

std::string redis_alive_key(std::string_view gateway) {
    return tagged("muster:gateway:", gateway, ":alive");
}

std::string redis_notices_key(std::string_view gateway) {
    return tagged("muster:gateway:", gateway, ":notices");
}

std::string redis_kept_field(const SessionChange& change) {
    using Kind = SessionChange::Kind;
    MUSTER_ASSERT(!change.session.empty() && change.session.size() <= session_key_bytes_max);
    std::string field;
    if (change.kind == Kind::put_message || change.kind == Kind::erase_message) {
        field = 'm';
        append_big_endian(change.number, 8, field);
    } else if (change.kind == Kind::put_packet_id || change.kind == Kind::erase_packet_id) {
        field = 'i';
        append_big_endian(change.number, 2, field);
    } else {
        field = document_field;
    }
    return field;
}

void add_kept_field(std::string_view field, std::string_view value, StoredSession& session) {
    if (field == document_field) {
        session.document = value;
    } else if (field.starts_with('m') && field.size() == 1 + 8) {
        session.messages.push_back({big_endian(field.substr(1)), std::string(value)});
    } else if (field.starts_with('i') && field.size() == 1 + 2) {
        session.packet_ids.push_back(static_cast<std::uint16_t>(big_endian(field.substr(1))));
    }
}

}  // namespace muster
