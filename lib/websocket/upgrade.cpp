#include "websocket/upgrade.h"

#include <algorithm>
#include <optional>

namespace muster::websocket {
namespace {

constexpr std::string_view magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3
constexpr std::string_view end_of_line = "\r\n";
constexpr std::string_view end_of_request = "\r\n\r\n";

/// What of the request matters.
struct Request {
    std::string_view method;
    std::string_view target;
    std::string_view version;
    std::optional<std::string_view> key;
    std::string_view websocket_version;
    bool has_host = false;
    bool has_body = false;
    bool asks_for_websocket = false;
    bool connection_says_upgrade = false;
    bool offers_protocol = false;
};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_word(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

/// Splits off what stands before the separator; all of it when there is none.
std::string_view take_until(std::string_view& text, std::string_view separator) {
    const std::size_t at = text.find(separator);
    const std::string_view taken = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + separator.size());
    return taken;
}

template <class Same>
bool lists(std::string_view list, std::string_view word, Same same) {
    while (!list.empty()) {
        if (same(trimmed(take_until(list, ",")), word)) {
            return true;
        }
    }
    return false;
}

bool is_token(std::string_view text) {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
               others.find(c) != std::string_view::npos;
    });
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) >= 0x20 ? c != 0x7f : c == '\t'; });
}

/// Base64 of 16 bytes.
bool is_key(std::string_view text) {
    return text.size() == 24 && text.ends_with("==") && std::all_of(text.begin(), text.end() - 2, [](char c) {
               return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
           });
}

bool read_header(std::string_view line, const ServerRules& rules, Request& request) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) || !is_printable(line)) {
        return false;
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (same_word(name, "host")) {
        request.has_host = true;
    } else if (same_word(name, "upgrade")) {
        request.asks_for_websocket = request.asks_for_websocket || lists(value, "websocket", same_word);
    } else if (same_word(name, "connection")) {
        request.connection_says_upgrade = request.connection_says_upgrade || lists(value, "upgrade", same_word);
    } else if (same_word(name, "sec-websocket-key")) {
        if (request.key) {
            return false;
        }
        request.key = value;
    } else if (same_word(name, "sec-websocket-version")) {
        request.websocket_version = value;
    } else if (same_word(name, "sec-websocket-protocol")) {
        request.offers_protocol =
            request.offers_protocol || lists(value, rules.protocol, std::equal_to<std::string_view>());
    } else if (same_word(name, "content-length")) {
        request.has_body = request.has_body || value != "0";
    } else if (same_word(name, "transfer-encoding")) {
        request.has_body = true;
    }
    return true;
}

bool read_request(std::string_view text, const ServerRules& rules, Request& request) {
    std::string_view first = take_until(text, end_of_line);
    request.method = take_until(first, " ");
    request.target = take_until(first, " ");
    request.version = first;
    if (!is_token(request.method) || request.target.empty() || !is_printable(request.target) ||
        !request.version.starts_with("HTTP/")) {
        return false;
    }
    while (!text.empty()) {
        if (!read_header(take_until(text, end_of_line), rules, request)) {
            return false;
        }
    }
    return true;
}

Upgrade refused(std::string_view status, std::string_view why, std::string_view headers = {}) {
    Upgrade upgrade;
    upgrade.status = Upgrade::Status::refused;
    upgrade.answer.append("HTTP/1.1 ").append(status).append(end_of_line);
    upgrade.answer.append(headers);
    upgrade.answer.append("Content-Type: text/plain\r\nConnection: close\r\nContent-Length: ");
    upgrade.answer.append(std::to_string(why.size() + 1)).append(end_of_request).append(why).append("\n");
    return upgrade;
}

Upgrade judge(const Request& request, const ServerRules& rules) {
    if (request.version != "HTTP/1.1") {
        return refused("505 HTTP Version Not Supported", "WebSocket needs HTTP/1.1");
    }
    if (request.method != "GET") {
        return refused("405 Method Not Allowed", "WebSocket begins with GET", "Allow: GET\r\n");
    }
    if (request.target.substr(0, request.target.find('?')) != rules.path) {
        return refused("404 Not Found", "MQTT is served at " + rules.path);
    }
    if (!request.has_host || request.has_body) {
        return refused("400 Bad Request", "a request to upgrade has a Host and no body");
    }
    if (!request.asks_for_websocket || !request.connection_says_upgrade) {
        return refused("426 Upgrade Required", "here MQTT is spoken over WebSocket", "Upgrade: websocket\r\n");
    }
    if (request.websocket_version != "13") {
        return refused("426 Upgrade Required", "only version 13 of WebSocket is spoken",
                       "Sec-WebSocket-Version: 13\r\n");
    }
    if (!request.key || !is_key(*request.key)) {
        return refused("400 Bad Request", "Sec-WebSocket-Key must be 16 bytes in base64");
    }
    if (!request.offers_protocol) {
        return refused("400 Bad Request", "Sec-WebSocket-Protocol must offer " + rules.protocol);
    }
    Upgrade upgrade;
    upgrade.status = Upgrade::Status::accepted;
    upgrade.answer.append("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    upgrade.answer.append("Sec-WebSocket-Accept: ");
    upgrade.answer.append(rules.sha1_base64(std::string(*request.key).append(magic)));
    upgrade.answer.append("\r\nSec-WebSocket-Protocol: ").append(rules.protocol).append(end_of_request);
    return upgrade;
}

}  // namespace

Upgrade read_upgrade(std::string_view text, const ServerRules& rules) {
    const std::size_t end = text.substr(0, rules.request_bytes_max).find(end_of_request);
    if (end == std::string_view::npos) {
        return text.size() >= rules.request_bytes_max
                   ? refused("431 Request Header Fields Too Large", "the request is too long")
                   : Upgrade();
    }
    Request request;
    if (!read_request(text.substr(0, end), rules, request)) {
        return refused("400 Bad Request", "not an HTTP request");
    }
    Upgrade upgrade = judge(request, rules);
    upgrade.request_bytes = end + end_of_request.size();
    return upgrade;
}

}  // namespace muster::websocket
