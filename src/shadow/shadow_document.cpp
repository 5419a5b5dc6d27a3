#include "shadow/shadow_document.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/json.h"
#include "shadow/shadow_merge.h"

namespace muster {
namespace {

using boost::json::object;
using boost::json::value;

constexpr std::size_t parse_depth_max = 64;  // well over what is allowed, so that "too deep" is told from "not JSON"
constexpr std::size_t envelope_levels = 2;   // the request itself and "state"; a section's keys are at depth 1

tl::unexpected<ShadowRejection> reject(std::uint16_t code, std::string message, std::string_view client_token = {}) {
    return tl::unexpected(ShadowRejection{code, std::move(message), std::string(client_token)});
}

ShadowRejection too_deep() {
    return {400, fmt::format("JSON contains too many levels of nesting; maximum is {}", shadow_depth_max), {}};
}

ShadowResult<object> parse_payload(std::string_view payload) {
    if (payload.size() > shadow_request_bytes_max) {
        return reject(413, "The payload exceeds the maximum size allowed");
    }
    if (!json::is_utf8(payload)) {
        return reject(415, "Unsupported documented encoding; supported encoding is UTF-8");
    }
    boost::json::parse_options options;
    options.max_depth = parse_depth_max;
    boost::system::error_code error;
    value parsed = boost::json::parse(payload, error, {}, options);
    if (error == boost::json::error::too_deep) {
        return tl::unexpected(too_deep());
    }
    if (error || !parsed.is_object()) {
        return reject(400, "Invalid JSON");
    }
    return std::move(parsed.get_object());
}

ShadowResult<ShadowRequest> parse_envelope(const object& payload) {
    ShadowRequest request;
    if (const value* token = payload.if_contains("clientToken"); token != nullptr) {
        if (!token->is_string() || token->get_string().size() > shadow_client_token_bytes_max) {
            return reject(400, "Invalid clientToken");
        }
        request.client_token = std::string_view(token->get_string());
    }
    if (const value* version = payload.if_contains("version"); version != nullptr && !version->is_null()) {
        boost::system::error_code error;
        const auto number = version->to_number<std::uint64_t>(error);
        if (error || version->is_double()) {
            return reject(400, "Invalid version", request.client_token);
        }
        request.version = number;
    }
    return request;
}

/// The key under which a null hides in an array, nullptr when there is none (rule 4).
const value* null_in_array(const value& node, bool inside) {
    if (node.is_null()) {
        return inside ? &node : nullptr;
    }
    if (const auto* list = node.if_array(); list != nullptr) {
        const auto found = std::find_if(list->begin(), list->end(),
                                        [](const value& item) { return null_in_array(item, true) != nullptr; });
        return found == list->end() ? nullptr : &*found;
    }
    if (const auto* members = node.if_object(); members != nullptr) {
        const auto found = std::find_if(members->begin(), members->end(), [&](const auto& member) {
            return null_in_array(member.value(), inside) != nullptr;
        });
        return found == members->end() ? nullptr : &found->value();
    }
    return nullptr;
}

std::size_t depth_of(const value& node) {
    std::size_t deepest = 0;
    if (const auto* members = node.if_object(); members != nullptr) {
        for (const auto& member : *members) {
            deepest = std::max(deepest, 1 + depth_of(member.value()));
        }
    } else if (const auto* list = node.if_array(); list != nullptr) {
        for (const value& item : *list) {
            deepest = std::max(deepest, 1 + depth_of(item));
        }
    }
    return deepest;
}

std::optional<ShadowRejection> check_section(std::string_view name, const value& section) {
    if (section.is_null()) {
        return std::nullopt;
    }
    if (!section.is_object()) {
        return ShadowRejection{400, fmt::format("{} node must be an object", name), {}};
    }
    if (depth_of(section) > shadow_depth_max) {
        return too_deep();
    }
    for (const auto& member : section.get_object()) {
        if (null_in_array(member.value(), false) != nullptr) {
            return ShadowRejection{
                400, fmt::format("State contains an invalid node: '{}'", std::string_view(member.key())), {}};
        }
    }
    return std::nullopt;
}

std::optional<ShadowRejection> check_state(const object& state) {
    for (const auto& member : state) {
        const std::string_view key = member.key();
        if (key != "desired" && key != "reported") {
            return ShadowRejection{400, fmt::format("State contains an invalid node: '{}'", key), {}};
        }
        if (auto wrong = check_section(key == "desired" ? "Desired" : "Reported", member.value())) {
            return wrong;
        }
    }
    return std::nullopt;
}

/// {"desired":…,"reported":…} of what is there.
object sections(const object& desired, const object& reported) {
    object out;
    if (!desired.empty()) {
        out.emplace("desired", desired);
    }
    if (!reported.empty()) {
        out.emplace("reported", reported);
    }
    return out;
}

object state_of(const ShadowDocument& document) {
    return sections(document.desired.state, document.reported.state);
}

object metadata_of(const ShadowDocument& document) {
    return sections(document.desired.metadata, document.reported.metadata);
}

void append_token(object& message, std::string_view client_token) {
    if (!client_token.empty()) {
        message.emplace("clientToken", client_token);
    }
}

/// Applies one section of a request and gives the timestamps of what it set.
object apply(ShadowSection& section, const value& change, std::int64_t now_s) {
    if (change.is_null()) {
        section = {};
        return {};
    }
    merge_section(section, change.get_object(), now_s);
    return stamp_of(change.get_object(), now_s);
}

value snapshot(const ShadowDocument& document) {
    if (!document.exists) {
        return nullptr;
    }
    return object{{"state", state_of(document)}, {"metadata", metadata_of(document)}, {"version", document.version}};
}

std::string documents_message(const ShadowDocument& previous, const ShadowDocument& current, std::int64_t now_s,
                              std::string_view client_token) {
    object message{{"previous", snapshot(previous)}, {"current", snapshot(current)}, {"timestamp", now_s}};
    append_token(message, client_token);
    return boost::json::serialize(message);
}

std::string not_there(std::string_view full_name) {
    return fmt::format("No shadow exists with name: '{}'", full_name);
}

}  // namespace

bool is_valid_shadow_name(std::string_view name) {
    return !name.empty() && name.size() <= shadow_name_bytes_max && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' || c == '_' ||
               c == '-';
    });
}

ShadowResult<ShadowRequest> parse_shadow_request(std::string_view payload) {
    if (payload.empty()) {
        return ShadowRequest{};
    }
    return parse_payload(payload).and_then(parse_envelope);
}

ShadowResult<ShadowRequest> parse_shadow_update(std::string_view payload) {
    const auto parsed = parse_payload(payload);
    if (!parsed) {
        return tl::unexpected(parsed.error());
    }
    auto request = parse_envelope(*parsed);
    if (!request) {
        return request;
    }
    const value* state = parsed->if_contains("state");
    if (state == nullptr) {
        return reject(400, "Missing required node: state", request->client_token);
    }
    if (!state->is_object()) {
        return reject(400, "State node must be an object", request->client_token);
    }
    if (auto wrong = check_state(state->get_object())) {
        wrong->client_token = request->client_token;
        return tl::unexpected(std::move(*wrong));
    }
    request->state = state->get_object();
    return request;
}

ShadowResult<ShadowUpdate> update_shadow(ShadowDocument& document, const ShadowRequest& request, std::int64_t now_s) {
    if (request.version && *request.version != document.version) {
        return reject(409, "Version conflict", request.client_token);
    }
    ShadowDocument next = document;
    object stamps;
    for (const auto& member : request.state) {
        object stamp = apply(member.key() == "desired" ? next.desired : next.reported, member.value(), now_s);
        if (!stamp.empty()) {
            stamps.emplace(member.key(), std::move(stamp));
        }
    }
    if (boost::json::serialize(state_of(next)).size() > shadow_state_bytes_max) {
        return reject(413, "The payload exceeds the maximum size allowed", request.client_token);
    }
    next.version = document.version + 1;
    next.updated_s = now_s;
    next.exists = true;

    object accepted{
        {"state", request.state}, {"metadata", std::move(stamps)}, {"version", next.version}, {"timestamp", now_s}};
    append_token(accepted, request.client_token);
    ShadowUpdate update{boost::json::serialize(accepted), shadow_delta_message(next, now_s, request.client_token),
                        documents_message(document, next, now_s, request.client_token)};
    document = std::move(next);
    return update;
}

ShadowResult<std::string> get_shadow(const ShadowDocument& document, const ShadowRequest& request,
                                     std::string_view full_name, std::int64_t now_s) {
    if (!document.exists) {
        return reject(404, not_there(full_name), request.client_token);
    }
    object state = state_of(document);
    if (object delta = shadow_delta(document.desired.state, document.reported.state); !delta.empty()) {
        state.emplace("delta", std::move(delta));
    }
    object message{{"state", std::move(state)},
                   {"metadata", metadata_of(document)},
                   {"version", document.version},
                   {"timestamp", now_s}};
    append_token(message, request.client_token);
    return boost::json::serialize(message);
}

ShadowResult<std::string> delete_shadow(ShadowDocument& document, const ShadowRequest& request,
                                        std::string_view full_name, std::int64_t now_s) {
    if (!document.exists) {
        return reject(404, not_there(full_name), request.client_token);
    }
    ShadowDocument deleted;
    deleted.version = document.version;
    deleted.updated_s = now_s;
    document = std::move(deleted);
    object message{{"version", document.version}, {"timestamp", now_s}};
    append_token(message, request.client_token);
    return boost::json::serialize(message);
}

boost::json::object shadow_delta(const object& desired, const object& reported) {
    return difference(desired, reported, nullptr).state;
}

std::optional<std::string> shadow_delta_message(const ShadowDocument& document, std::int64_t now_s,
                                                std::string_view client_token) {
    ShadowSection delta = difference(document.desired.state, document.reported.state, &document.desired.metadata);
    if (delta.state.empty()) {
        return std::nullopt;
    }
    object message{{"version", document.version},
                   {"timestamp", now_s},
                   {"state", std::move(delta.state)},
                   {"metadata", std::move(delta.metadata)}};
    append_token(message, client_token);
    return boost::json::serialize(message);
}

std::string to_json(const ShadowRejection& rejection, std::int64_t now_s) {
    object message{{"code", rejection.code}, {"message", rejection.message}, {"timestamp", now_s}};
    append_token(message, rejection.client_token);
    return boost::json::serialize(message);
}

std::string to_stored(const ShadowDocument& document) {
    object stored{{"version", document.version}, {"timestamp", document.updated_s}};
    if (document.exists) {
        stored.emplace("state", state_of(document));
        stored.emplace("metadata", metadata_of(document));
    } else {
        stored.emplace("deleted", true);
    }
    return boost::json::serialize(stored);
}

Result<ShadowDocument> parse_stored_shadow(std::string_view text) {
    // A section's metadata is as deep as its state and one level more; arrays count too.
    boost::json::parse_options options;
    options.max_depth = shadow_depth_max + envelope_levels + 4;
    boost::system::error_code error;
    const value stored = boost::json::parse(text, error, {}, options);
    if (error || !stored.is_object()) {
        return fail(ErrorCode::corrupt, "stored shadow is not a JSON object");
    }
    ShadowDocument document;
    if (!json::read(stored.get_object(), "version", document.version) ||
        !json::read(stored.get_object(), "timestamp", document.updated_s)) {
        return fail(ErrorCode::corrupt, "stored shadow has a wrong version or timestamp");
    }
    document.exists = !stored.get_object().contains("deleted");
    const auto load = [&](std::string_view part, std::string_view section, object& out) {
        const value* parent = stored.get_object().if_contains(part);
        const value* found =
            parent != nullptr && parent->is_object() ? parent->get_object().if_contains(section) : nullptr;
        if (found != nullptr && found->is_object()) {
            out = found->get_object();
        }
    };
    load("state", "desired", document.desired.state);
    load("state", "reported", document.reported.state);
    load("metadata", "desired", document.desired.metadata);
    load("metadata", "reported", document.reported.metadata);
    return document;
}

}  // namespace muster
