#include "api/region_history.h"

#include <array>
#include <unordered_map>

#include "api/device_queries.h"
#include "api/json_writer.h"
#include "api/problem.h"
#include "contract/identity.h"

namespace muster {
namespace {

constexpr std::string_view share_name = "offline_share";
constexpr std::string_view offline_name = "offline";
constexpr std::string_view countable_name = "countable";
constexpr std::int64_t points_max = 10'000;

std::string id_of(std::string_view region) {
    return RegionHistory::mark + std::string(region);
}

using ByTime = std::unordered_map<std::int64_t, double>;

/// The averages of a metric that was kept together with the share, bucket by bucket.
ByTime averages_of(const HistoryResult& result, std::string_view metric) {
    ByTime out;
    for (const HistorySeries& series : result.series) {
        for (const HistoryPoint& point : series.points) {
            if (series.metric == metric) {
                out.emplace(to_epoch_ms(point.time), point.average);
            }
        }
    }
    return out;
}

std::optional<double> at(const ByTime& values, Timestamp time) {
    const auto found = values.find(to_epoch_ms(time));
    return found == values.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

RegionHistory::RegionHistory(HistoryStore& history, SlowLane& lane, const Clock& clock, MetricRegistry& metrics)
    : history_(history),
      lane_(lane),
      clock_(clock),
      refused_(metrics.counter("muster_api_region_history_refused_total", "Regions over the bound, left out a minute")),
      failed_(metrics.counter("muster_api_region_history_failed_total", "Minutes that the history did not take")) {}

void RegionHistory::keep(Timestamp now, const std::vector<std::pair<std::string, RegionCounts>>& regions) {
    const Timestamp minute = std::chrono::floor<std::chrono::minutes>(now);
    const std::size_t kept = std::min(regions.size(), regions_max);
    refused_.Increment(static_cast<double>(regions.size() - kept));
    using Metric = std::pair<std::string_view, double>;
    std::vector<std::string> ids;
    std::vector<std::array<Metric, 3>> metrics;
    std::vector<Sample> samples;
    ids.reserve(kept);  // the samples refer to them
    metrics.reserve(kept);
    samples.reserve(kept);
    for (std::size_t i = 0; i < kept; ++i) {
        const auto& [region, counts] = regions[i];
        ids.push_back(id_of(region));
        metrics.push_back({Metric{countable_name, static_cast<double>(counts.countable)},
                           Metric{offline_name, static_cast<double>(counts.countable_offline)},
                           Metric{share_name, counts.offline_share()}});
        samples.push_back({ids.back(), minute, metrics.back()});
    }
    if (!history_.append(samples)) {
        failed_.Increment();
    }
}

HttpResponse RegionHistory::get_history(const ApiRequest& request) const {
    QueryReader reader(request.query);
    const std::string region = reader.text("region", 128);
    if (!region.empty() && !is_valid_region(region)) {
        reader.refuse("region", "a path such as in/karnataka/ka-04");
    }
    const TimeSpan span = read_span(reader, clock_.now());
    HistoryQuery query;
    query.device = id_of(region);
    query.from = span.from;
    query.to = span.to;
    query.points_max = static_cast<std::size_t>(reader.integer("points", 1440, 1, points_max));
    if (const auto valid = reader.finish(); !valid) {
        return problem(valid.error());
    }
    const auto result = history_.query(query);
    if (!result) {
        return problem(result.error());
    }
    const ByTime offline = averages_of(*result, offline_name);
    const ByTime countable = averages_of(*result, countable_name);
    std::string out;
    JsonWriter writer(out);
    writer.begin_object()
        .member("region", region)
        .member("from", query.from)
        .member("to", query.to)
        .member("resolution", result->resolution)
        .member("step_ms", result->step.count())
        .member("damaged_chunks", result->damaged_chunks)
        .key("points")
        .begin_array();
    for (const HistorySeries& series : result->series) {
        for (const HistoryPoint& point : series.points) {
            if (series.metric != share_name) {
                break;
            }
            writer.begin_object()
                .member("time", point.time)
                .member("offline_share", point.average)
                .member("least", point.minimum)
                .member("most", point.maximum)
                .member("offline", at(offline, point.time))
                .member("countable", at(countable, point.time))
                .end_object();
        }
    }
    writer.end_array().end_object();
    return json_response(std::move(out));
}

void RegionHistory::add_routes(std::vector<Route>& routes) const {
    routes.push_back({"GET", "/api/v1/regions/history", Role::viewer,
                      answer_aside(lane_, [this](const ApiRequest& request) { return get_history(request); })});
}

}  // namespace muster
