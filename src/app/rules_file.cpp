#include "app/rules_file.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <toml++/toml.h>

#include "contract/json.h"

namespace muster {
namespace {

constexpr std::uintmax_t file_bytes_max = 8U << 20U;

Result<std::string> read_text(const std::string& path) {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(path, error);
    if (error) {
        return fail(ErrorCode::not_found, "the rules file cannot be read",
                    fmt::format("{}: {}", path, error.message()));
    }
    if (bytes > file_bytes_max) {
        return fail(ErrorCode::too_large, "the rules file has more than 8 MiB", path);
    }
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) {
        return fail(ErrorCode::io, "the rules file cannot be read", path);
    }
    return text.str();
}

/// The same document as JSON, for the one parser that knows what a rule is.
Result<std::string> json_of_toml(const std::string& text, const std::string& path) {
    try {
        const toml::table table = toml::parse(text);
        std::ostringstream json;
        json << toml::json_formatter(table);
        return json.str();
    } catch (const toml::parse_error& error) {
        return fail(ErrorCode::malformed, "the rules file is not valid TOML",
                    fmt::format("{}, line {}: {}", path, error.source().begin.line, error.description()));
    }
}

}  // namespace

Result<std::vector<AlertRule>> read_rules_file(const std::string& path) {
    const bool is_json = path.ends_with(".json");
    const std::string_view list_name = is_json ? "rules" : "rule";
    const auto text = read_text(path);
    if (!text) {
        return tl::unexpected(text.error());
    }
    const auto document =
        (is_json ? Result<std::string>(*text) : json_of_toml(*text, path)).and_then([](const std::string& json) {
            return json::parse_object(json);
        });
    if (!document) {
        return tl::unexpected(document.error());
    }
    for (const auto& member : *document) {
        if (std::string_view(member.key()) != list_name || !member.value().is_array()) {
            return fail(ErrorCode::malformed, "the rules file must hold nothing but its list of rules",
                        fmt::format("{}: {}", path, std::string_view(member.key())));
        }
    }
    std::vector<AlertRule> rules;
    std::set<std::string> names;
    const auto* list = document->if_contains(list_name);
    for (const auto& item : list == nullptr ? boost::json::array() : list->get_array()) {
        if (!item.is_object()) {
            return fail(ErrorCode::malformed, "a rule must be a table", path);
        }
        auto object = item.get_object();
        object["origin"] = "file";
        auto rule = parse_alert_rule(boost::json::serialize(object));
        const std::string place = fmt::format("{}, rule {}", path, rules.size() + 1);
        if (!rule) {
            return fail(rule.error().code, rule.error().text, fmt::format("{} ({})", rule.error().detail, place));
        }
        if (!names.insert(rule->name).second) {
            return fail(ErrorCode::conflict, "two rules have the same name", fmt::format("{} ({})", rule->name, place));
        }
        rules.push_back(std::move(*rule));
    }
    return rules;
}

}  // namespace muster
