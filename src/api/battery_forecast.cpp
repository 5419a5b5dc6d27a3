#include "api/battery_forecast.h"

#include <cmath>

#include "alerts/drain_forecast.h"
#include "api/json_writer.h"

namespace muster {
namespace {

constexpr std::int64_t read_slices = 480;  // of the shortest slice: 80 hours, as far back as a forecast looks

std::optional<double> finite(double days) {
    return std::isfinite(days) ? std::optional(days) : std::nullopt;
}

std::string_view state_of(const DrainForecast& forecast, const std::optional<DrainForecast::Estimate>& estimate) {
    return forecast.is_charging()          ? "charging"
           : !estimate                     ? "unknown"
           : std::isfinite(estimate->days) ? "draining"
                                           : "steady";
}

}  // namespace

HistoryQuery forecast_query(std::string device, std::string metric, Timestamp now) {
    HistoryQuery query;
    query.device = std::move(device);
    query.metrics = {std::move(metric)};
    query.to = now + Millis(1);
    query.from = query.to - Seconds(read_slices * DrainForecast::slice_first_s);
    query.points_max = static_cast<std::size_t>(read_slices);
    return query;
}

std::string forecast_json(const HistoryQuery& query, const HistoryResult& history) {
    DrainForecast forecast;
    std::optional<HistoryPoint> newest;
    for (const HistorySeries& series : history.series) {
        for (const HistoryPoint& point : series.points) {
            (void)forecast.take(point.average, point.time);
            newest = point;
        }
    }
    const auto estimate = forecast.is_charging() ? std::nullopt : forecast.estimate();
    std::string out;
    JsonWriter writer(out);
    writer.begin_object()
        .member("metric", query.metrics.front())
        .member("state", state_of(forecast, estimate))
        .member("time", newest ? std::optional(newest->time) : std::nullopt)
        .member("value", newest ? std::optional(newest->average) : std::nullopt)
        .member("per_day", estimate ? std::optional(estimate->per_day) : std::nullopt)
        .member("days", estimate ? finite(estimate->days) : std::nullopt)
        .member("days_low", estimate ? finite(estimate->days_low) : std::nullopt)
        .member("days_high", estimate ? finite(estimate->days_high) : std::nullopt)
        .end_object();
    return out;
}

}  // namespace muster
