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

/// The first token that may read.
std::string token_in(const boost::json::object& tokens) {
    for (const auto& entry : tokens) {
        const auto* token = entry.value().is_object() ? entry.value().as_object().if_contains("token") : &entry.value();
        if (token != nullptr && token->is_string()) {
            return std::string(token->as_string());
        }
    }
    return {};
}

}  // namespace

Result<ApiClient> client_of(const std::string& data_directory) {
    const std::filesystem::path folder(data_directory);
    if (!std::filesystem::exists(folder / endpoints_name)) {
        return fail(ErrorCode::unavailable, "no muster serve is running on this data directory",
                    data_directory + " (start one, or name another with --data-dir)");
    }
    const auto endpoints = read_json(folder / endpoints_name);
    const auto tokens = read_json(folder / tokens_name);
    if (!endpoints || !tokens) {
        return tl::unexpected(!endpoints ? endpoints.error() : tokens.error());
    }
    std::string address;
    if (const auto read = json::read(*endpoints, "http", address); !read) {
        return tl::unexpected(read.error());
    }
    return ApiClient(address, token_in(*tokens));
}

}  // namespace muster
