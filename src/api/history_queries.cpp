#include "api/history_queries.h"

#include <fmt/format.h>

#include "api/device_queries.h"
#include "api/history_check.h"
#include "api/json_writer.h"
#include "api/metric_units.h"
#include "api/problem.h"
#include "contract/identity.h"

namespace muster {
namespace {

constexpr std::size_t metric_bytes_max = 128;
constexpr std::size_t page_devices = 1000;

/// A region that may be empty, for all devices.
std::string read_region(QueryReader& reader) {
    std::string region = reader.text("region", 128);
    if (!region.empty() && !is_valid_region(region)) {
        reader.refuse("region", "a path such as in/karnataka/ka-04");
    }
    return region;
}

std::string read_metric(QueryReader& reader) {
    std::string metric = reader.text("metric", metric_bytes_max);
    if (metric.empty()) {
        reader.refuse("metric", "the name of a metric, such as battery");
    }
    return metric;
}

/// "change": its size counts.
std::optional<ChangeOrder> change_order_from(std::string_view word) {
    return word == "change" ? std::optional(ChangeOrder::largest)
           : word == "rise" ? std::optional(ChangeOrder::rise)
           : word == "fall" ? std::optional(ChangeOrder::fall)
                            : std::nullopt;
}

/// Counts an export for as long as its source lives.
class CountedExport final : public BodySource {
 public:
    CountedExport(HistoryExport source, std::atomic<std::size_t>& count) : source_(std::move(source)), count_(count) {}
    ~CountedExport() override { --count_; }
    CountedExport(const CountedExport&) = delete;
    CountedExport& operator=(const CountedExport&) = delete;

    Result<Piece> next(std::string& out) override { return source_.next(out); }

 private:
    HistoryExport source_;
    std::atomic<std::size_t>& count_;
};

/// What every question about a group of devices says, and its answer repeats.
struct GroupQuestion {
    std::string region;  ///< empty: all
    std::string metric;
    TimeSpan span;
};

GroupQuestion read_group(QueryReader& reader, Timestamp now) {
    GroupQuestion asked;
    asked.region = read_region(reader);
    asked.metric = read_metric(reader);
    asked.span = read_span(reader, now);
    return asked;
}

JsonWriter& write_group(JsonWriter& writer, const GroupQuestion& asked) {
    return writer.member("region", asked.region)
        .member("metric", asked.metric)
        .member("unit", unit_of(asked.metric))
        .member("from", asked.span.from)
        .member("to", asked.span.to);
}

}  // namespace

Result<std::vector<std::string>> HistoryQueries::devices_of(const std::string& region) const {
    std::vector<std::string> devices;
    DeviceFilter filter;
    filter.region = region;
    std::string after;
    do {
        const auto page = status_.list(filter, after, page_devices);
        if (!page) {
            return tl::unexpected(page.error());
        }
        for (const DeviceStatus& device : page->devices) {
            devices.push_back(device.document.id);
        }
        after = page->next_after;
        if (devices.size() > region_devices_max) {
            return fail(ErrorCode::too_large, "this region has more than 100,000 devices: ask for one below it");
        }
    } while (!after.empty());
    return devices;
}

HttpResponse HistoryQueries::get_fleet_history(const ApiRequest& request) const {
    QueryReader reader(request.query);
    const GroupQuestion asked = read_group(reader, clock_.now());
    FleetQuery query;
    query.metric = asked.metric;
    query.from = asked.span.from;
    query.to = asked.span.to;
    query.points_max = static_cast<std::size_t>(reader.integer("points", 1440, 1, 10'000));
    if (const auto valid = reader.finish(); !valid) {
        return problem(valid.error());
    }
    const auto devices = devices_of(asked.region);
    if (!devices) {
        return problem(devices.error());
    }
    query.devices = *devices;
    const auto series = history_.fleet_series(query);
    if (!series) {
        return problem(series.error());
    }
    std::string out;
    JsonWriter writer(out);
    write_group(writer.begin_object(), asked)
        .member("step_ms", series->step.count())
        .member("devices", devices->size())
        .member("damaged_chunks", series->damaged_chunks)
        .key("points")
        .begin_array();
    for (const FleetPoint& point : series->points) {
        writer.begin_array()
            .value(point.time)
            .value(point.average)
            .value(point.minimum)
            .value(point.maximum)
            .value(point.devices)
            .end_array();
    }
    writer.end_array().end_object();
    return json_response(std::move(out));
}

HttpResponse HistoryQueries::get_fleet_top(const ApiRequest& request) const {
    QueryReader reader(request.query);
    const GroupQuestion asked = read_group(reader, clock_.now());
    TopQuery query;
    query.metric = asked.metric;
    query.from = asked.span.from;
    query.to = asked.span.to;
    query.limit = static_cast<std::size_t>(reader.integer("n", 10, 1, 1000));
    query.order = reader.word("by", &change_order_from, "change, rise or fall").value_or(ChangeOrder::largest);
    if (const auto valid = reader.finish(); !valid) {
        return problem(valid.error());
    }
    std::vector<std::string> members;
    if (!asked.region.empty()) {
        auto devices = devices_of(asked.region);
        if (!devices) {
            return problem(devices.error());
        }
        members = std::move(*devices);
        query.devices = members;
    }
    const auto top = history_.top(query);
    if (!top) {
        return problem(top.error());
    }
    std::string out;
    JsonWriter writer(out);
    write_group(writer.begin_object(), asked)
        .member("devices", top->devices)
        .member("damaged_chunks", top->damaged_chunks)
        .key("top")
        .begin_array();
    for (const MetricChange& entry : top->changes) {
        writer.begin_object()
            .member("device", entry.device)
            .member("change", entry.change())
            .member("first", entry.first)
            .member("last", entry.last)
            .member("minimum", entry.minimum)
            .member("maximum", entry.maximum)
            .member("samples", entry.samples)
            .end_object();
    }
    writer.end_array().end_object();
    return json_response(std::move(out));
}

HttpResponse HistoryQueries::get_export(const ApiRequest& request) {
    QueryReader reader(request.query);
    ExportRequest wanted;
    wanted.kind = reader.word("kind", &export_kind_from, "samples or transitions").value_or(ExportKind::samples);
    wanted.format = reader.word("format", &export_format_from, "csv or ndjson").value_or(ExportFormat::ndjson);
    wanted.device = reader.text("device", device_id_bytes_max);
    wanted.region = read_region(reader);
    const TimeSpan span = read_span(reader, clock_.now());
    wanted.from = span.from;
    wanted.to = span.to;
    if (!wanted.device.empty() && !is_valid_device_id(wanted.device)) {
        reader.refuse("device", "1 to 128 of [A-Za-z0-9:_.-]");
    }
    if (!wanted.device.empty() && !wanted.region.empty()) {
        reader.refuse("region", "absent when a device is given");
    }
    if (const auto valid = reader.finish(); !valid) {
        return problem(valid.error());
    }
    if (exports_.fetch_add(1) >= exports_max) {
        --exports_;
        return problem(503, "as many exports as may run at once are running; ask again when one has ended");
    }
    const bool csv = wanted.format == ExportFormat::csv;
    const std::string_view what = wanted.kind == ExportKind::samples ? "telemetry" : "transitions";
    HttpResponse response;
    response.content_type = csv ? "text/csv; charset=utf-8" : "application/x-ndjson";
    response.headers.emplace_back("Content-Disposition",
                                  fmt::format("attachment; filename=\"muster-{}.{}\"", what, csv ? "csv" : "ndjson"));
    response.source = std::make_shared<CountedExport>(HistoryExport(history_, status_, std::move(wanted)), exports_);
    return response;
}

HttpResponse HistoryQueries::get_check(const ApiRequest& request) {
    if (const auto valid = QueryReader(request.query).finish(); !valid) {
        return problem(valid.error());
    }
    if (checking_.exchange(true)) {
        return problem(503, "the history is being checked already; ask again when that has ended");
    }
    HttpResponse response;
    response.content_type = "application/x-ndjson";
    response.source = std::make_shared<HistoryCheckRun>(history_, checking_);
    return response;
}

void HistoryQueries::add_routes(std::vector<Route>& routes) {
    const auto add = [&](std::string_view pattern, auto method) {
        routes.push_back({"GET", pattern, Role::viewer, answer_aside(lane_, [this, method](const ApiRequest& request) {
                              return (this->*method)(request);
                          })});
    };
    const auto add_streamed = [&](std::string_view pattern, HttpResponse (HistoryQueries::*method)(const ApiRequest&)) {
        routes.push_back({"GET", pattern, Role::viewer,
                          answer_with([this, method](const ApiRequest& request) { return (this->*method)(request); })});
    };
    add("/api/v1/fleet/history", &HistoryQueries::get_fleet_history);
    add("/api/v1/fleet/top", &HistoryQueries::get_fleet_top);
    add_streamed("/api/v1/history/export", &HistoryQueries::get_export);
    add_streamed("/api/v1/history/check", &HistoryQueries::get_check);
}

}  // namespace muster
