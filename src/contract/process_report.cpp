#include "contract/process_report.h"

#include <array>
#include <iterator>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/json.h"

namespace muster {
namespace {

using TextMember = std::pair<std::string_view, std::string ProcessReport::*>;
using CountMember = std::pair<std::string_view, std::uint64_t ProcessReport::*>;
using TimeMember = std::pair<std::string_view, Timestamp ProcessReport::*>;

constexpr std::array<TextMember, 3> text_members{{
    {"role", &ProcessReport::role},
    {"name", &ProcessReport::name},
    {"metrics_address", &ProcessReport::metrics_address},
}};
constexpr std::array<TimeMember, 3> time_members{{
    {"time", &ProcessReport::time},
    {"since", &ProcessReport::since},
    {"newest", &ProcessReport::newest},
}};
constexpr std::array<CountMember, 4> count_members{{
    {"records", &ProcessReport::records},
    {"bytes", &ProcessReport::bytes},
    {"lag", &ProcessReport::lag},
    {"devices", &ProcessReport::devices},
}};

}  // namespace

std::string to_json(const ProcessReport& report) {
    std::string out = R"({"v":1)";
    for (const auto& [name, member] : text_members) {
        fmt::format_to(std::back_inserter(out), ",\"{}\":", name);
        json::append_string(out, report.*member);
    }
    for (const auto& [name, member] : time_members) {
        fmt::format_to(std::back_inserter(out), ",\"{}\":{}", name, to_epoch_ms(report.*member));
    }
    for (const auto& [name, member] : count_members) {
        fmt::format_to(std::back_inserter(out), ",\"{}\":{}", name, report.*member);
    }
    fmt::format_to(std::back_inserter(out), ",\"sessions\":{},\"draining\":{}}}", report.sessions, report.draining);
    return out;
}

Result<ProcessReport> parse_process_report(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    ProcessReport report;
    Result<void> read = json::read(*object, "sessions", report.sessions);
    const auto also = [&](Result<void> next) {
        if (read) {
            read = std::move(next);
        }
    };
    for (const auto& [name, member] : text_members) {
        also(json::read(*object, name, report.*member));
    }
    for (const auto& [name, member] : time_members) {
        std::int64_t ms = 0;
        also(json::read(*object, name, ms));
        report.*member = from_epoch_ms(ms);
    }
    for (const auto& [name, member] : count_members) {
        also(json::read(*object, name, report.*member));
    }
    if (const auto* draining = object->if_contains("draining")) {
        report.draining = draining->is_bool() && draining->get_bool();
    }
    if (!read) {
        return tl::unexpected(read.error());
    }
    if (report.role.empty() || report.name.empty()) {
        return fail(ErrorCode::malformed, "a process report needs a role and a name");
    }
    return report;
}

std::string process_key(std::string_view role, std::string_view name) {
    return fmt::format("{}/{}", role, name);
}

}  // namespace muster
