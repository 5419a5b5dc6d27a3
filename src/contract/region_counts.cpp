#include "contract/region_counts.h"

#include <array>
#include <cmath>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/json.h"

namespace muster {
namespace {

using CountMember = std::pair<std::string_view, std::int64_t RegionCounts::*>;

constexpr std::array<CountMember, 10> count_members{{
    {"online", &RegionCounts::online},
    {"offline", &RegionCounts::offline},
    {"unknown", &RegionCounts::unknown},
    {"never_seen", &RegionCounts::never_seen},
    {"flapping", &RegionCounts::flapping},
    {"sleeping", &RegionCounts::sleeping},
    {"maintenance", &RegionCounts::maintenance},
    {"countable", &RegionCounts::countable},
    {"countable_offline", &RegionCounts::countable_offline},
    {"positioned", &RegionCounts::positioned},
}};

/// Degrees in steps of 2^-20 (about 0.1 m): sums of these are exact in any order, so that a count that was added and
/// subtracted for months equals a recount.
double quantised(double degrees) {
    return std::round(degrees * 0x1p20) * 0x1p-20;
}

}  // namespace

RegionCounts& RegionCounts::operator+=(const RegionCounts& other) {
    for (const auto& [name, member] : count_members) {
        this->*member += other.*member;
    }
    latitude_sum += other.latitude_sum;
    longitude_sum += other.longitude_sum;
    return *this;
}

RegionCounts& RegionCounts::operator-=(const RegionCounts& other) {
    for (const auto& [name, member] : count_members) {
        this->*member -= other.*member;
    }
    latitude_sum -= other.latitude_sum;
    longitude_sum -= other.longitude_sum;
    return *this;
}

RegionCounts contribution_of(const CountedPresence& presence) {
    RegionCounts counts;
    const PresenceState state = presence.state;
    const bool flapping = has(presence.overlays, Overlay::flapping);
    const bool sleeping = has(presence.overlays, Overlay::sleeping);
    const bool maintenance = has(presence.overlays, Overlay::maintenance);
    const bool never_seen = state == PresenceState::never_seen;
    const bool countable = !never_seen && !sleeping && !maintenance;
    counts.online = state == PresenceState::online ? 1 : 0;
    counts.offline = state == PresenceState::offline ? 1 : 0;
    counts.unknown = state == PresenceState::unknown ? 1 : 0;
    counts.never_seen = never_seen ? 1 : 0;
    counts.flapping = flapping ? 1 : 0;
    counts.sleeping = sleeping ? 1 : 0;
    counts.maintenance = maintenance ? 1 : 0;
    counts.countable = countable ? 1 : 0;
    counts.countable_offline = countable && (flapping ? presence.steady_offline : counts.offline != 0) ? 1 : 0;
    if (presence.latitude != 0 || presence.longitude != 0) {
        counts.latitude_sum = quantised(presence.latitude);
        counts.longitude_sum = quantised(presence.longitude);
        counts.positioned = 1;
    }
    return counts;
}

RegionCounts contribution_of(const StatusDocument& document) {
    if (is_canary(document.id)) {
        return {};
    }
    return contribution_of({document.state, document.overlays, document.evidence.steady_offline,
                            document.attributes.latitude, document.attributes.longitude});
}

void for_each_region_of(std::string_view region, FunctionRef<void(std::string_view)> visit) {
    visit({});
    if (region.empty()) {
        return;
    }
    for (auto slash = region.find('/'); slash != std::string_view::npos; slash = region.find('/', slash + 1)) {
        visit(region.substr(0, slash));
    }
    visit(region);
}

std::string to_json(const RegionReport& report) {
    std::string out = fmt::format("{{\"v\":1,\"partition\":{},\"region\":", report.partition);
    json::append_string(out, report.region);
    fmt::format_to(std::back_inserter(out), ",\"time\":{}", to_epoch_ms(report.time));
    for (const auto& [name, member] : count_members) {
        fmt::format_to(std::back_inserter(out), ",\"{}\":{}", name, report.counts.*member);
    }
    out.append(",\"lat_sum\":");
    json::append_number(out, report.counts.latitude_sum);
    out.append(",\"lon_sum\":");
    json::append_number(out, report.counts.longitude_sum);
    out.push_back('}');
    return out;
}

Result<RegionReport> parse_region_report(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    RegionReport report;
    std::int64_t partition = 0;
    std::int64_t time = 0;
    Result<void> read = json::read(*object, "partition", partition);
    const auto also = [&](Result<void> next) {
        if (read) {
            read = std::move(next);
        }
    };
    also(json::read(*object, "region", report.region));
    also(json::read(*object, "time", time));
    for (const auto& [name, member] : count_members) {
        also(json::read(*object, name, report.counts.*member));
    }
    also(json::read(*object, "lat_sum", report.counts.latitude_sum));
    also(json::read(*object, "lon_sum", report.counts.longitude_sum));
    if (!read) {
        return tl::unexpected(read.error());
    }
    report.partition = static_cast<std::int32_t>(partition);
    report.time = from_epoch_ms(time);
    return report;
}

std::string region_report_key(std::int32_t partition, std::string_view region) {
    return fmt::format("{}:{}", partition, region);
}

}  // namespace muster
