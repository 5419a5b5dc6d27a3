#include "app/rules_command.h"

#include <cstdio>
#include <functional>

#include <boost/json.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "alerts/rule_replay.h"
#include "app/process.h"
#include "app/rules_file.h"
#include "app/running_server.h"
#include "contract/json.h"
#include "net/system_clock.h"
#include "simulator/scenario.h"

namespace muster {
namespace {

constexpr std::size_t answer_bytes_max = 64U << 20U;
constexpr std::size_t line_bytes_max = 1U << 20U;

/// "7d", or what parse_duration knows: 90s, 2m, 12h.
Result<Millis> length_of(const std::string& text) {
    if (text.ends_with('d')) {
        return parse_duration(text.substr(0, text.size() - 1) + "h").map([](auto hours) {
            return std::chrono::duration_cast<Millis>(hours * 24);
        });
    }
    return parse_duration(text).map([](auto length) { return std::chrono::duration_cast<Millis>(length); });
}

/// A row of GET /devices?at= or a line of the export: how a device was from some time on.
Result<StatusDocument> document_of(const boost::json::object& row, std::string_view id_name,
                                   std::string_view time_name) {
    StatusDocument document;
    std::string state;
    std::string cause;
    std::int64_t since = 0;
    Result<void> read = json::read(row, id_name, document.id);
    for (const auto& [name, out] : {std::pair<std::string_view, std::string*>{"state", &state},
                                    {"cause", &cause},
                                    {"region", &document.attributes.region},
                                    {"gateway", &document.gateway}}) {
        read = read ? json::read(row, name, *out) : read;
    }
    read = read ? json::read(row, time_name, since) : read;
    if (!read) {
        return tl::unexpected(read.error());
    }
    const auto known = presence_state_from(state);
    if (!known || document.id.empty()) {
        return fail(ErrorCode::malformed, "the server said something that is no device's state");
    }
    document.state = *known;
    document.cause = cause_from(cause).value_or(Cause::none);
    document.since = from_epoch_ms(since);
    if (const auto* overlays = row.if_contains("overlays"); overlays != nullptr && overlays->is_array()) {
        for (const auto& word : overlays->get_array()) {
            const auto overlay = word.is_string() ? overlay_from(std::string_view(word.get_string())) : std::nullopt;
            document.overlays |= overlay ? static_cast<Overlays>(*overlay) : Overlays{0};
        }
    }
    return document;
}

/// The whole of an answer that is one JSON object.
Result<boost::json::object> object_of(const ApiClient& client, const std::string& path, const ApiClient::Query& query) {
    std::string body;
    return client
        .get(path, query,
             [&](std::string_view bytes) -> Result<void> {
                 body.append(bytes);
                 return body.size() > answer_bytes_max ? fail(ErrorCode::too_large, "the server's page is too long")
                                                       : Result<void>();
             })
        .and_then([&] { return json::parse_object(body); });
}

/// `from`, or where the presence history begins when that is later.
Result<Timestamp> beginning_of(const ApiClient& client, Timestamp from, Timestamp to) {
    return object_of(client, "/api/v1/fleet", {{"at", fmt::format("{}", to_epoch_ms(to))}})
        .and_then([&](const boost::json::object& fleet) -> Result<Timestamp> {
            std::int64_t known_from = 0;
            if (auto read = json::read(fleet, "history_from", known_from); !read) {
                return tl::unexpected(read.error());
            }
            return std::max(from, from_epoch_ms(known_from));
        });
}

/// Every row of GET /devices, page by page; `query` says which.
Result<void> read_devices(const ApiClient& client, const ApiClient::Query& query,
                          const std::function<Result<void>(const boost::json::object&)>& take) {
    std::string cursor;
    do {
        ApiClient::Query of_page = query;
        of_page.emplace_back("limit", "500");
        if (!cursor.empty()) {
            of_page.emplace_back("cursor", cursor);
        }
        const auto page = object_of(client, "/api/v1/devices", of_page);
        if (!page) {
            return tl::unexpected(page.error());
        }
        const auto* devices = page->if_contains("devices");
        for (const auto& device :
             devices != nullptr && devices->is_array() ? devices->get_array() : boost::json::array()) {
            if (auto taken = take(device.as_object()); !taken) {
                return taken;
            }
        }
        cursor.clear();
        if (auto read = json::read(*page, "next_cursor", cursor); !read) {
            return read;
        }
    } while (!cursor.empty());
    return {};
}

/// How every device was at `from`.
Result<void> read_beginning(const ApiClient& client, Timestamp from, RuleReplay& replay) {
    return read_devices(client, {{"at", fmt::format("{}", to_epoch_ms(from))}}, [&](const boost::json::object& row) {
        return document_of(row, "id", "since").and_then([&](StatusDocument document) {
            return replay.add(std::move(document));
        });
    });
}

/// What the devices are now: the history has only their regions.
Result<void> read_attributes(const ApiClient& client, RuleReplay& replay) {
    if (!replay.needs_attributes()) {
        return {};
    }
    return read_devices(client, {}, [&](const boost::json::object& row) -> Result<void> {
        std::string id;
        DeviceAttributes attributes;
        Result<void> read = json::read(row, "id", id);
        for (const auto& [name, out] : {std::pair<std::string_view, std::string*>{"model", &attributes.model},
                                        {"firmware", &attributes.firmware}}) {
            read = read ? json::read(row, name, *out) : read;
        }
        return read.map([&] { replay.know(id, std::move(attributes)); });
    });
}

/// Each line of an export.
Result<void> read_export(const ApiClient& client, std::string_view kind, Timestamp from,
                         const std::function<Result<void>(const boost::json::object&)>& take_row) {
    std::string line;
    const auto take = [&](std::string_view bytes) -> Result<void> {
        line.append(bytes);
        std::size_t begin = 0;
        for (auto end = line.find('\n'); end != std::string::npos; end = line.find('\n', begin)) {
            const auto row = json::parse_object(std::string_view(line).substr(begin, end - begin));
            auto taken = row ? take_row(*row) : tl::unexpected(row.error());
            if (!taken) {
                return taken;
            }
            begin = end + 1;
        }
        line.erase(0, begin);
        return line.size() > line_bytes_max ? fail(ErrorCode::too_large, "the server's line is too long")
                                            : Result<void>();
    };
    return client.get(
        "/api/v1/history/export",
        {{"kind", std::string(kind)}, {"format", "ndjson"}, {"from", fmt::format("{}", to_epoch_ms(from))}}, take);
}

Result<void> read_changes(const ApiClient& client, Timestamp from, RuleReplay& replay) {
    return read_export(client, "transitions", from, [&](const boost::json::object& row) {
        return document_of(row, "device", "time").and_then([&](StatusDocument document) {
            return replay.add(std::move(document));
        });
    });
}

/// The samples that a rule of the file looks at.
Result<void> read_values(const ApiClient& client, Timestamp from, RuleReplay& replay) {
    if (replay.metrics().empty()) {
        return {};
    }
    return read_export(client, "samples", from, [&](const boost::json::object& row) -> Result<void> {
        std::string device;
        std::int64_t time = 0;
        auto read = json::read(row, "device", device).and_then([&] { return json::read(row, "time", time); });
        const auto* metrics = row.if_contains("metrics");
        if (!read || metrics == nullptr || !metrics->is_object()) {
            return read ? fail(ErrorCode::malformed, "the server said something that is no sample") : read;
        }
        for (const std::string& metric : replay.metrics()) {
            const auto* value = metrics->get_object().if_contains(metric);
            if (read && value != nullptr && value->is_number()) {
                read = replay.add_value(device, metric, value->to_number<double>(), from_epoch_ms(time));
            }
        }
        return read;
    });
}

std::string date_of(Timestamp time) {
    return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

void print(const std::vector<AlertRule>& rules, const std::vector<Incident>& incidents, const std::string& tested) {
    std::map<std::string, int> counts;
    for (const Incident& incident : incidents) {
        ++counts[incident.rule];
        fmt::print("{}  {:<10} {:<24} {}, {} at most {} devices ({:.1f} %)\n", date_of(incident.opened),
                   incident.severity, incident.rule, incident.title,
                   incident.resolved
                       ? fmt::format("{} s,",
                                     std::chrono::duration_cast<Seconds>(*incident.resolved - incident.opened).count())
                       : "still open,",
                   incident.members_peak, incident.share_peak * 100);
    }
    for (const AlertRule& rule : rules) {
        fmt::print("rule {}: {} incidents {}\n", rule.name, counts[rule.name], tested);
    }
    if (const int by_cause = counts[std::string(CauseRule::name)]; by_cause > 0) {
        fmt::print("explained by a cause of their own, and no rule's: {}\n", by_cause);
    }
}

}  // namespace

int run_rules_test(const RulesTestOptions& options) {
    release_signals();
    const net::SystemClock clock;
    const Timestamp to = clock.now();
    const auto tested = [&]() -> Result<void> {
        const auto length = length_of(options.since);
        const auto rules = read_rules_file(options.file);
        if (!length || !rules) {
            return tl::unexpected(!length ? length.error() : rules.error());
        }
        const Timestamp asked = to - *length;
        auto replay = RuleReplay::of(*rules);
        const auto client = client_of({.data_directory = options.data_directory});
        if (!replay || !client) {
            return tl::unexpected(!replay ? replay.error() : client.error());
        }
        const auto from = beginning_of(*client, asked, to);
        if (!from) {
            return tl::unexpected(from.error());
        }
        return read_beginning(*client, *from, *replay)
            .and_then([&] { return read_changes(*client, *from, *replay); })
            .and_then([&] { return read_attributes(*client, *replay); })
            .and_then([&] { return read_values(*client, *from, *replay); })
            .map([&] {
                if (*from == asked) {
                    return print(*rules, replay->run(asked, to), "in " + options.since);
                }
                const std::string since = date_of(*from);
                fmt::print("tested from {} UTC on, not the whole {}: there the presence history begins\n", since,
                           options.since);
                print(*rules, replay->run(*from, to), "since " + since);
            });
    }();
    if (!tested) {
        fmt::print(stderr, "muster rules test: {}\n", tested.error().message());
        return 1;
    }
    return 0;
}

}  // namespace muster
