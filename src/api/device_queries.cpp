#include "api/device_queries.h"

#include <charconv>

#include <fmt/format.h>

#include "api/battery_forecast.h"
#include "api/json_writer.h"
#include "api/metric_units.h"
#include "api/problem.h"
#include "contract/identity.h"
#include "shadow/documents.h"

namespace muster {
namespace {

constexpr std::size_t metric_name_bytes_max = 128;
constexpr std::size_t metrics_max = 32;
constexpr std::size_t points_max = 10'000;
constexpr std::size_t transitions_max = 10'000;
constexpr std::size_t transitions_ahead = 32;
constexpr Millis default_span = std::chrono::hours(24);
constexpr std::string_view state_words = "online, offline, unknown or never_seen";
constexpr std::string_view overlay_words = "flapping, sleeping, maintenance or contested";

std::optional<Timestamp> known(Timestamp time) {
    return time == Timestamp{} ? std::nullopt : std::optional(time);
}

/// The members of a summary, without the braces around them.
void write_summary(JsonWriter& writer, const DeviceStatus& device) {
    const StatusDocument& document = device.document;
    writer.member("id", document.id)
        .member("state", name_of(document.state))
        .member("cause", name_of(document.cause))
        .member("since", document.since)
        .member("last_seen", known(device.last_seen))
        .key("overlays")
        .raw(overlays_json(document.overlays))
        .member("region", document.attributes.region)
        .member("model", document.attributes.model)
        .member("firmware", document.attributes.firmware)
        .member("gateway", document.gateway)
        .key("metrics")
        .begin_object();
    for (const auto& [name, value] : device.metrics) {
        writer.member(name, value);
    }
    writer.end_object();
}

void write_detail(JsonWriter& writer, const DeviceStatus& device) {
    const StatusDocument& document = device.document;
    const DeviceAttributes& attributes = document.attributes;
    const bool positioned = attributes.has_position();
    writer.member("carrier", attributes.carrier)
        .member("epoch", document.epoch)
        .member("detected_in_ms", document.detected_in_ms)
        .member("lat", positioned ? std::optional(attributes.latitude) : std::nullopt)
        .member("lon", positioned ? std::optional(attributes.longitude) : std::nullopt)
        .member("keep_alive_s", document.keep_alive_s)
        .member("heartbeat_timeout_s", attributes.heartbeat_timeout_s)
        .key("client")
        .begin_object()
        .member("address", document.client_address)
        .member("protocol", document.protocol)
        .end_object()
        .member("first_seen", known(document.first_seen))
        .member("telemetry_time", known(device.telemetry_time))
        .member("disconnects", document.disconnects)
        .member("flap_penalty", document.flap_penalty);
}

/// The version of a shadow as read_shadow gives it.
std::optional<std::int64_t> version_of(const std::string& shadow) {
    std::int64_t version = 0;
    const auto object = json::parse_object(shadow);
    return object && json::read(*object, "version", version) ? std::optional(version) : std::nullopt;
}

Result<std::string> device_of(const ApiRequest& request) {
    if (!is_valid_device_id(request.parameters[0])) {
        return fail(ErrorCode::invalid_argument, "a device id is 1 to 128 of [A-Za-z0-9:_.-]");
    }
    return request.parameters[0];
}

/// When the session that ended with `transitions[ended]` had begun: the oldest of the entries before it, which come
/// after it in the list, that belong to the same session. Entries between are changes of overlays.
std::optional<Timestamp> session_start(const std::vector<Transition>& transitions, std::size_t ended) {
    std::optional<Timestamp> start;
    for (std::size_t i = ended + 1; i < transitions.size(); ++i) {
        if (transitions[i].state != PresenceState::online || transitions[i].epoch != transitions[ended].epoch) {
            break;
        }
        start = transitions[i].time;
    }
    return transitions[ended].state == PresenceState::online ? std::nullopt : start;
}

/// The first `shown` of them.
void write_transitions(JsonWriter& writer, const std::vector<Transition>& transitions, std::size_t shown) {
    for (std::size_t i = 0; i < shown; ++i) {
        const Transition& transition = transitions[i];
        const auto start = session_start(transitions, i);
        writer.begin_object()
            .member("time", transition.time)
            .member("state", name_of(transition.state))
            .member("cause", name_of(transition.cause))
            .member("epoch", transition.epoch)
            .member("gateway", transition.gateway)
            .member("region", transition.region)
            .key("overlays")
            .raw(overlays_json(transition.overlays))
            .member("detected_in_ms", transition.detected_in_ms)
            .member("session_s",
                    start ? std::optional(std::chrono::floor<Seconds>(transition.time - *start).count()) : std::nullopt)
            .end_object();
    }
}

/// Where a page of transitions ended: "time:offset".
std::string transition_cursor(const Transition& last) {
    return encode_cursor(fmt::format("{}:{}", to_epoch_ms(last.time), last.offset));
}

/// Makes `query` end where the page before did.
Result<void> continue_after(std::string_view cursor, TransitionQuery& query) {
    const auto text = decode_cursor(cursor);
    std::int64_t time_ms = 0;
    std::int64_t offset = 0;
    const auto colon = text ? std::min(text->find(':'), text->size()) : 0;
    const auto is_number = [](std::string_view digits, std::int64_t& value) {
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return error == std::errc() && end == digits.data() + digits.size();
    };
    if (!text || !is_number(std::string_view(*text).substr(0, colon), time_ms) || colon == text->size() ||
        !is_number(std::string_view(*text).substr(colon + 1), offset)) {
        return fail(ErrorCode::malformed, "cursor must be the next_cursor of an earlier page");
    }
    query.to = std::min(query.to, from_epoch_ms(time_ms));
    query.to_offset = query.to == from_epoch_ms(time_ms) ? offset : 0;
    return {};
}

}  // namespace

TimeSpan read_span(QueryReader& reader, Timestamp now) {
    const auto to = reader.time("to");
    const auto from = reader.time("from");
    TimeSpan span;
    span.to = to.value_or(now + Millis(1));
    span.from = from.value_or(span.to - default_span);
    if (span.from >= span.to) {
        reader.refuse("from", "before to");
    }
    return span;
}

std::vector<std::string> split_list(std::string_view list) {
    std::vector<std::string> out;
    while (!list.empty()) {
        const std::string_view item = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), item.size() + 1));
        if (!item.empty()) {
            out.emplace_back(item);
        }
    }
    return out;
}

void append_csv_field(std::string& out, std::string_view text) {
    // A spreadsheet takes what begins like a formula for one; devices choose their metrics' names.
    const bool formula = !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
    out.push_back('"');
    if (formula) {
        out.push_back('\'');
    }
    for (const char c : text) {
        out.append(c == '"' ? "\"\"" : std::string_view(&c, 1));
    }
    out.push_back('"');
}

DevicePageRequest read_device_page(QueryReader& reader) {
    DevicePageRequest page;
    page.filter.state = reader.word("state", &presence_state_from, state_words);
    page.filter.overlay = reader.word("overlay", &overlay_from, overlay_words);
    page.filter.region = reader.text("region", 128);
    page.filter.model = reader.text("model", 128);
    page.filter.id_prefix = reader.text("q", device_id_bytes_max);
    page.limit = static_cast<std::size_t>(reader.integer("limit", 100, 1, 1000));
    const std::string cursor = reader.text("cursor", 512);
    if (!page.filter.region.empty() && !is_valid_region(page.filter.region)) {
        reader.refuse("region", "a path such as in/karnataka/ka-04");
    }
    page.after = cursor.empty() ? Result<std::string>("") : decode_cursor(cursor);
    return page;
}

std::string overlays_json(Overlays overlays) {
    std::string out;
    JsonWriter writer(out);
    writer.begin_array();
    for (const Overlay overlay : all_overlays) {
        if (has(overlays, overlay)) {
            writer.value(name_of(overlay));
        }
    }
    writer.end_array();
    return out;
}

Result<std::optional<std::string>> DeviceQueries::device(std::string_view id) const {
    const auto status = sources_.status.get(id);
    if (!status) {
        return tl::unexpected(status.error());
    }
    if (!*status) {
        return std::nullopt;
    }
    const auto shadow = read_shadow(sources_.documents, id);
    if (!shadow) {
        return tl::unexpected(shadow.error());
    }
    std::string out;
    JsonWriter writer(out);
    writer.begin_object();
    write_summary(writer, **status);
    write_detail(writer, **status);
    writer.member("shadow_version", *shadow ? version_of(**shadow) : std::nullopt).end_object();
    return out;
}

Result<std::optional<std::int64_t>> DeviceQueries::matched(const DeviceFilter& filter) const {
    if (!filter.model.empty() || !filter.id_prefix.empty() || (filter.state && filter.overlay) ||
        filter.overlay == Overlay::contested) {
        return std::nullopt;  // counting would mean a scan
    }
    const auto counts = sources_.status.counts(filter.region);
    if (!counts) {
        return tl::unexpected(counts.error());
    }
    if (filter.overlay) {
        return *filter.overlay == Overlay::flapping   ? counts->flapping
               : *filter.overlay == Overlay::sleeping ? counts->sleeping
                                                      : counts->maintenance;
    }
    if (!filter.state) {
        return counts->total();
    }
    switch (*filter.state) {
        case PresenceState::online:
            return counts->online;
        case PresenceState::offline:
            return counts->offline;
        case PresenceState::unknown:
            return counts->unknown;
        case PresenceState::never_seen:
            return counts->never_seen;
    }
    return std::nullopt;
}

HttpResponse DeviceQueries::get_devices(const ApiRequest& request) const {
    QueryReader reader(request.query);
    (void)reader.time("at");  // PastQueries answers where there is one
    const DevicePageRequest asked = read_device_page(reader);
    const auto valid = reader.finish();
    if (!valid || !asked.after) {
        return problem(!valid ? valid.error() : asked.after.error());
    }
    const auto page = sources_.status.list(asked.filter, *asked.after, asked.limit);
    const auto count = matched(asked.filter);
    if (!page || !count) {
        return problem(!page ? page.error() : count.error());
    }
    std::string out;
    out.reserve(page->devices.size() * 320 + 64);
    JsonWriter writer(out);
    writer.begin_object().key("devices").begin_array();
    for (const DeviceStatus& device : page->devices) {
        writer.begin_object();
        write_summary(writer, device);
        writer.end_object();
    }
    writer.end_array()
        .member("next_cursor", page->next_after.empty() ? std::nullopt : std::optional(encode_cursor(page->next_after)))
        .member("matched", *count)
        .end_object();
    return json_response(std::move(out));
}

HttpResponse DeviceQueries::get_device(const ApiRequest& request) const {
    if (const auto valid = QueryReader(request.query).finish(); !valid) {
        return problem(valid.error());
    }
    const auto id = device_of(request);
    if (!id) {
        return problem(id.error());
    }
    auto body = device(*id);
    if (!body) {
        return problem(body.error());
    }
    return *body ? json_response(std::move(**body)) : problem(404, "no device with this id has been seen");
}

Result<HistoryQuery> DeviceQueries::history_query(const ApiRequest& request) const {
    auto id = device_of(request);
    if (!id) {
        return tl::unexpected(id.error());
    }
    QueryReader reader(request.query);
    const TimeSpan span = read_span(reader, sources_.clock.now());
    HistoryQuery query;
    query.device = std::move(*id);
    query.from = span.from;
    query.to = span.to;
    query.metrics = split_list(reader.text("metrics", metrics_max * (metric_name_bytes_max + 1)));
    query.points_max = static_cast<std::size_t>(reader.integer("points", 500, 1, points_max));
    if (query.metrics.size() > metrics_max) {
        reader.refuse("metrics", "at most 32 names");
    }
    if (auto valid = reader.finish(); !valid) {
        return tl::unexpected(valid.error());
    }
    return query;
}

Result<HistoryResult> DeviceQueries::history(const HistoryQuery& query) const {
    auto result = sources_.history.query(query);
    if (result && result->series.empty()) {
        const auto status = sources_.status.get(query.device);
        if (status && !*status) {
            return fail(ErrorCode::not_found, "no device with this id has been seen");
        }
    }
    return result;
}

HttpResponse DeviceQueries::get_history(const ApiRequest& request) const {
    const auto query = history_query(request);
    const auto result = query.and_then([this](const HistoryQuery& valid) { return history(valid); });
    if (!result) {
        return problem(result.error());
    }
    std::string out;
    JsonWriter writer(out);
    writer.begin_object()
        .member("from", query->from)
        .member("to", query->to)
        .member("resolution", result->resolution)
        .member("step_ms", result->step.count())
        .member("damaged_chunks", result->damaged_chunks)
        .key("series")
        .begin_array();
    for (const HistorySeries& series : result->series) {
        writer.begin_object()
            .member("metric", series.metric)
            .member("unit", unit_of(series.metric))
            .member("completeness", series.completeness)
            .key("points")
            .begin_array();
        for (const HistoryPoint& point : series.points) {
            writer.begin_array()
                .value(point.time)
                .value(point.average)
                .value(point.minimum)
                .value(point.maximum)
                .value(point.samples)
                .value(point.completeness)
                .end_array();
        }
        writer.end_array().end_object();
    }
    writer.end_array().end_object();
    return json_response(std::move(out));
}

HttpResponse DeviceQueries::get_forecast(const ApiRequest& request) const {
    auto id = device_of(request);
    if (!id) {
        return problem(id.error());
    }
    QueryReader reader(request.query);
    std::string metric = reader.text("metric", metric_name_bytes_max);
    if (const auto valid = reader.finish(); !valid) {
        return problem(valid.error());
    }
    const HistoryQuery query =
        forecast_query(std::move(*id), metric.empty() ? "battery" : std::move(metric), sources_.clock.now());
    const auto result = history(query);
    return result ? json_response(forecast_json(query, *result)) : problem(result.error());
}

HttpResponse DeviceQueries::get_history_csv(const ApiRequest& request) const {
    const auto query = history_query(request);
    const auto result = query.and_then([this](const HistoryQuery& valid) { return history(valid); });
    if (!result) {
        return problem(result.error());
    }
    HttpResponse response;
    response.content_type = "text/csv; charset=utf-8";
    response.headers.emplace_back("Content-Disposition", fmt::format("attachment; filename=\"{}.csv\"", query->device));
    response.body = "time,metric,value\r\n";
    for (const HistorySeries& series : result->series) {
        std::string name;
        append_csv_field(name, series.metric);
        for (const HistoryPoint& point : series.points) {
            fmt::format_to(std::back_inserter(response.body), "{},{},", to_epoch_ms(point.time), name);
            json::append_number(response.body, point.average);
            response.body.append("\r\n");
        }
    }
    return response;
}

HttpResponse DeviceQueries::get_transitions(const ApiRequest& request) const {
    const auto id = device_of(request);
    QueryReader reader(request.query);
    const TimeSpan span = read_span(reader, sources_.clock.now());
    const auto limit = static_cast<std::size_t>(reader.integer("limit", 500, 1, transitions_max));
    const std::string cursor = reader.text("cursor", 512);
    auto valid = reader.finish();
    if (!id || !valid) {
        return problem(!id ? id.error() : valid.error());
    }
    TransitionQuery query{.device = *id, .from = span.from, .to = span.to};
    // A few more than asked for tell whether there are more, and when the page's oldest sessions had begun.
    query.limit = std::min(limit + transitions_ahead, transitions_max);
    valid = cursor.empty() ? Result<void>() : continue_after(cursor, query);
    const auto transitions = valid.and_then([&] { return sources_.history.transitions(query); });
    if (!transitions) {
        return problem(transitions.error());
    }
    const std::size_t shown = std::min(limit, transitions->size());
    const bool more = transitions->size() > shown || transitions->size() == transitions_max;
    std::string out;
    JsonWriter writer(out);
    writer.begin_object().key("transitions").begin_array();
    write_transitions(writer, *transitions, shown);
    writer.end_array()
        .member("next_cursor", more ? std::optional(transition_cursor((*transitions)[shown - 1])) : std::nullopt)
        .end_object();
    return json_response(std::move(out));
}

HttpResponse DeviceQueries::get_shadow(const ApiRequest& request) const {
    const auto id = device_of(request);
    const auto valid = QueryReader(request.query).finish();
    if (!id || !valid) {
        return problem(!id ? id.error() : valid.error());
    }
    auto shadow = read_shadow(sources_.documents, *id);
    if (!shadow) {
        return problem(shadow.error());
    }
    return *shadow ? json_response(std::move(**shadow)) : problem(404, "this device has no shadow");
}

HttpResponse DeviceQueries::get_commands(const ApiRequest& request) const {
    const auto id = device_of(request);
    QueryReader reader(request.query);
    const auto limit = static_cast<std::size_t>(reader.integer("limit", 100, 1, 1000));
    const auto valid = reader.finish();
    if (!id || !valid) {
        return problem(!id ? id.error() : valid.error());
    }
    const auto commands = list_commands(sources_.documents, *id, limit);
    if (!commands) {
        return problem(commands.error());
    }
    std::string out;
    JsonWriter writer(out);
    writer.begin_object().key("commands").begin_array();
    for (const std::string& command : *commands) {
        writer.raw(command);
    }
    writer.end_array().end_object();
    return json_response(std::move(out));
}

HttpResponse DeviceQueries::get_command(const ApiRequest& request) const {
    if (const auto valid = QueryReader(request.query).finish(); !valid) {
        return problem(valid.error());
    }
    auto command = read_command(sources_.documents, request.parameters[0]);
    if (!command) {
        return problem(command.error());
    }
    return *command ? json_response(std::move(**command)) : problem(404, "there is no command with this execution id");
}

void DeviceQueries::add_routes(std::vector<Route>& routes) const {
    const auto add = [&](std::string_view pattern, HttpResponse (DeviceQueries::*method)(const ApiRequest&) const) {
        routes.push_back({"GET", pattern, Role::viewer,
                          answer_with([this, method](const ApiRequest& request) { return (this->*method)(request); })});
    };
    add("/api/v1/devices", &DeviceQueries::get_devices);
    add("/api/v1/devices/{id}", &DeviceQueries::get_device);
    add("/api/v1/devices/{id}/history", &DeviceQueries::get_history);
    add("/api/v1/devices/{id}/history.csv", &DeviceQueries::get_history_csv);
    add("/api/v1/devices/{id}/forecast", &DeviceQueries::get_forecast);
    add("/api/v1/devices/{id}/transitions", &DeviceQueries::get_transitions);
    add("/api/v1/devices/{id}/shadow", &DeviceQueries::get_shadow);
    add("/api/v1/devices/{id}/commands", &DeviceQueries::get_commands);
    add("/api/v1/commands/{execution_id}", &DeviceQueries::get_command);
}

}  // namespace muster
