#include "api/fleet_queries.h"

#include <set>

#include "api/json_writer.h"
#include "api/problem.h"

namespace muster {
namespace {

std::string_view parent_of(std::string_view region) {
    const auto slash = region.rfind('/');
    return slash == std::string_view::npos ? std::string_view{} : region.substr(0, slash);
}

void write_region(JsonWriter& writer, const std::string& region, const RegionCounts& counts, bool leaf,
                  const std::string* incident) {
    const std::string_view parent = parent_of(region);
    const auto mean = [&](double sum) {
        return counts.positioned > 0 ? std::optional(sum / static_cast<double>(counts.positioned)) : std::nullopt;
    };
    writer.begin_object()
        .member("region", region)
        .member("name", std::string_view(region).substr(parent.empty() ? 0 : parent.size() + 1))
        .member("parent", parent)
        .member("depth", std::count(region.begin(), region.end(), '/') + 1)
        .member("leaf", leaf)
        .member("lat", mean(counts.latitude_sum))
        .member("lon", mean(counts.longitude_sum))
        .key("counts");
    write_counts(writer, counts);
    writer.member("offline_share", counts.offline_share())
        .member("incident", incident == nullptr ? std::nullopt : std::optional(*incident))
        .end_object();
}

std::size_t minutes_of(QueryReader& reader) {
    return static_cast<std::size_t>(reader.integer("minutes", 60, 1, RecentSeries::minutes_max));
}

enum class Which : std::uint8_t { open, all };

std::optional<Which> which_from(std::string_view word) {
    return word == "open" ? std::optional(Which::open) : word == "all" ? std::optional(Which::all) : std::nullopt;
}

}  // namespace

void write_counts(JsonWriter& writer, const RegionCounts& counts) {
    writer.begin_object()
        .member("total", counts.total())
        .member("online", counts.online)
        .member("offline", counts.offline)
        .member("unknown", counts.unknown)
        .member("never_seen", counts.never_seen)
        .member("flapping", counts.flapping)
        .member("sleeping", counts.sleeping)
        .member("maintenance", counts.maintenance)
        .end_object();
}

FleetQueries::FleetQueries(FleetSources sources) : sources_(std::move(sources)), started_(sources_.clock.now()) {}

PipelineHealth FleetQueries::pipeline() const {
    return sources_.pipeline ? sources_.pipeline() : PipelineHealth{};
}

Result<std::string> FleetQueries::fleet() {
    const auto counts = sources_.status.counts("");
    const auto regions = sources_.status.regions();
    if (!counts || !regions) {
        return tl::unexpected(!counts ? counts.error() : regions.error());
    }
    const auto region_count =
        std::count_if(regions->begin(), regions->end(), [](const auto& item) { return !item.first.empty(); });
    const PipelineHealth health = pipeline();
    const FleetRates::Snapshot rates = sources_.rates.snapshot();
    const Timestamp now = sources_.clock.now();
    const std::optional<Millis> lag =
        health.newest == Timestamp{} ? std::nullopt : std::optional(std::max(now - health.newest, Millis(0)));

    std::string out;
    JsonWriter writer(out);
    writer.begin_object().member("time", now).key("counts");
    write_counts(writer, *counts);
    writer.member("regions", region_count).key("gateways").begin_array();
    for (const auto& gateway : health.gateways) {
        writer.begin_object()
            .member("name", gateway.name)
            .member("sessions", gateway.sessions)
            .member("since", gateway.since)
            .member("draining", gateway.draining)
            .end_object();
    }
    writer.end_array().key("processes").begin_array();
    for (const auto& process : health.processes) {
        writer.begin_object()
            .member("role", process.role)
            .member("name", process.name)
            .member("since", process.since)
            .member("lag", process.lag)
            .member("devices", process.devices)
            .end_object();
    }
    writer.end_array()
        .key("rates")
        .begin_object()
        .member("records_per_s", health.records_per_s)
        .member("bytes_per_s", health.bytes_per_s)
        .member("connects_per_min", rates.connects_per_min)
        .member("disconnects_per_min", rates.disconnects_per_min)
        .end_object()
        .key("detection_ms");
    if (rates.detection_p50_ms) {
        writer.begin_object().member("p50", rates.detection_p50_ms).member("p99", rates.detection_p99_ms).end_object();
    } else {
        writer.raw("null");
    }
    writer.member("lag_ms", lag ? std::optional(lag->count()) : std::nullopt)
        .member("stale", !lag || *lag > stale_after)
        .member("incidents_open", sources_.incidents.open_count())
        .member("version", sources_.version)
        .member("started", started_)
        .end_object();
    return out;
}

Result<std::string> FleetQueries::regions_array() const {
    const auto regions = sources_.status.regions();
    if (!regions) {
        return tl::unexpected(regions.error());
    }
    const auto incidents = sources_.incidents.open_by_region();
    std::set<std::string_view> parents;
    for (const auto& [region, counts] : *regions) {
        parents.insert(parent_of(region));
    }
    std::string out;
    JsonWriter writer(out);
    writer.begin_array();
    for (const auto& [region, counts] : *regions) {
        if (region.empty()) {
            continue;  // the fleet itself
        }
        const auto incident = incidents.find(region);
        write_region(writer, region, counts, !parents.contains(region),
                     incident == incidents.end() ? nullptr : &incident->second);
    }
    writer.end_array();
    return out;
}

std::string FleetQueries::regions_body(std::string_view array) const {
    return fmt::format(R"({{"time":{},"regions":{}}})", to_epoch_ms(sources_.clock.now()), array);
}

void FleetQueries::sample(Timestamp now) {
    if (now >= fleet_due_) {
        fleet_due_ = std::chrono::floor<Seconds>(now) + RecentSeries::fleet_step;
        if (const auto counts = sources_.status.counts("")) {
            const auto rates = sources_.rates.snapshot();
            series_.add({now, *counts, pipeline().records_per_s, rates.connects_per_min,
                         sources_.incidents.open_count(), rates.detection_p99_ms});
        }
    }
    if (now >= regions_due_) {
        regions_due_ = std::chrono::floor<std::chrono::minutes>(now) + RecentSeries::regions_step;
        if (const auto regions = sources_.status.regions()) {
            series_.add_regions(now, *regions);
            // Counts that nobody brings up to date are not kept as if they were of this minute: a gap is a gap.
            if (sources_.keep_regions && now - pipeline().newest <= stale_after) {
                sources_.keep_regions(now, *regions);
            }
        }
    }
}

HttpResponse FleetQueries::get_fleet(const ApiRequest& request) {
    QueryReader reader(request.query);
    (void)reader.time("at");  // PastQueries answers where there is one
    if (const auto valid = reader.finish(); !valid) {
        return problem(valid.error());
    }
    return json_or_problem(fleet());
}

HttpResponse FleetQueries::get_regions(const ApiRequest& request) const {
    if (const auto valid = QueryReader(request.query).finish(); !valid) {
        return problem(valid.error());
    }
    return json_or_problem(regions_array().map([this](const std::string& array) { return regions_body(array); }));
}

HttpResponse FleetQueries::get_fleet_series(const ApiRequest& request) const {
    QueryReader reader(request.query);
    const auto minutes = minutes_of(reader);
    const auto valid = reader.finish();
    return valid ? json_response(series_.fleet_json(minutes)) : problem(valid.error());
}

HttpResponse FleetQueries::get_regions_series(const ApiRequest& request) const {
    QueryReader reader(request.query);
    const auto minutes = minutes_of(reader);
    const auto valid = reader.finish();
    return valid ? json_response(series_.regions_json(minutes)) : problem(valid.error());
}

HttpResponse FleetQueries::get_alerts(const ApiRequest& request) const {
    QueryReader reader(request.query);
    const auto which = reader.word("state", &which_from, "open or all").value_or(Which::open);
    const auto limit = static_cast<std::size_t>(reader.integer("limit", 100, 1, 1000));
    if (const auto valid = reader.finish(); !valid) {
        return problem(valid.error());
    }
    std::string out;
    JsonWriter writer(out);
    writer.begin_object().key("alerts").begin_array();
    for (const Incident& incident : sources_.incidents.list(which == Which::open, limit)) {
        writer.raw(to_json(incident));
    }
    writer.end_array().end_object();
    return json_response(std::move(out));
}

HttpResponse FleetQueries::get_alert(const ApiRequest& request) const {
    if (const auto valid = QueryReader(request.query).finish(); !valid) {
        return problem(valid.error());
    }
    const auto incident = sources_.incidents.find(request.parameters[0]);
    return incident ? json_response(to_json(*incident)) : problem(404, "there is no incident with this id");
}

void FleetQueries::add_routes(std::vector<Route>& routes) {
    const auto add = [&](std::string_view pattern, auto method) {
        routes.push_back({"GET", pattern, Role::viewer,
                          answer_with([this, method](const ApiRequest& request) { return (this->*method)(request); })});
    };
    add("/api/v1/fleet", &FleetQueries::get_fleet);
    add("/api/v1/fleet/series", &FleetQueries::get_fleet_series);
    add("/api/v1/regions", &FleetQueries::get_regions);
    add("/api/v1/regions/series", &FleetQueries::get_regions_series);
    add("/api/v1/alerts", &FleetQueries::get_alerts);
    add("/api/v1/alerts/{id}", &FleetQueries::get_alert);
}

}  // namespace muster
