#include "app/running_server.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include <boost/json.hpp>

#include "contract/json.h"

namespace muster {
namespace {

constexpr std::string_view endpoints_name = "endpoints.json";
constexpr std::string_view tokens_name = "tokens.json";

Result<boost::json::object> read_json(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) {
        return fail(ErrorCode::io, "cannot be read", path.string());
    }
    return json::parse_object(text.str());
}

/// The role's, or the first of all.
std::string token_in(const boost::json::object& tokens, std::string_view role) {
    for (const auto& entry : tokens) {
        const auto* token = entry.value().is_object() ? entry.value().as_object().if_contains("token") : &entry.value();
        if (token != nullptr && token->is_string() && (role.empty() || entry.key() == role)) {
            return std::string(token->as_string());
        }
    }
    return {};
}

Result<std::string> address_of(const RunningServer& server) {
    constexpr std::string_view scheme = "http://";
    if (!server.url.empty()) {
        return server.url.substr(server.url.starts_with(scheme) ? scheme.size() : 0);
    }
    const std::filesystem::path path = std::filesystem::path(server.data_directory) / endpoints_name;
    if (!std::filesystem::exists(path)) {
        return fail(ErrorCode::unavailable, "no muster serve is running on this data directory",
                    server.data_directory + " (start one, or name another with --data-dir)");
    }
    std::string address;
    const auto endpoints = read_json(path);
    const auto read = endpoints ? json::read(*endpoints, "http", address) : tl::unexpected(endpoints.error());
    if (!read) {
        return tl::unexpected(read.error());
    }
    return address;
}

Result<std::string> token_of(const RunningServer& server) {
    if (!server.token.empty()) {
        return server.token;
    }
    const auto tokens = read_json(std::filesystem::path(server.data_directory) / tokens_name);
    if (!tokens && server.role.empty()) {
        return tl::unexpected(tokens.error());
    }
    std::string token = tokens ? token_in(*tokens, server.role) : std::string();
    if (token.empty() && !server.role.empty()) {
        return fail(ErrorCode::unauthorized, "a token of this role is needed", server.role + "; give it with --token");
    }
    return token;
}

}  // namespace

Result<ApiClient> client_of(const RunningServer& server) {
    return address_of(server).and_then([&](const std::string& address) {
        return token_of(server).map([&](const std::string& token) { return ApiClient(address, token); });
    });
}

}  // namespace muster
