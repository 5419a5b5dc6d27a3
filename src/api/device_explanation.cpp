#include "api/device_explanation.h"

#include <algorithm>
#include <cmath>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "api/json_writer.h"

namespace muster {
namespace {

constexpr Millis stale_after{5000};           // as the fleet's: then the pipeline is not to be trusted
constexpr double suppress_penalty = 3000;     // DESIGN 3.3
constexpr double release_penalty = 750;       // DESIGN 3.3
constexpr double half_life_ms = 15 * 60'000;  // DESIGN 3.3

std::string clock_text(Timestamp time) {
    const auto seconds = std::chrono::floor<Seconds>(time.time_since_epoch());
    return fmt::format("{:%F %T} UTC", fmt::gmtime(static_cast<std::time_t>(seconds.count())));
}

std::string ago_text(Timestamp time, Timestamp now) {
    return span_text(std::max(Millis(0), now - time)) + " ago";
}

bool is_known(Timestamp time) {
    return time != Timestamp{};
}

std::string_view cause_text(Cause cause) {
    switch (cause) {
        case Cause::none:
            return "nothing has been heard of it";
        case Cause::connect:
            return "it connected";
        case Cause::heartbeat:
            return "it was heard again after a silence";
        case Cause::will:
            return "its connection broke, and the gateway published its will";
        case Cause::client_disconnect:
            return "it said goodbye";
        case Cause::connection_lost:
            return "its connection broke";
        case Cause::keepalive_timeout:
            return "its keep-alive ran out: nothing came for 1.5 times of it";
        case Cause::heartbeat_timeout:
            return "nothing came from it for its heartbeat timeout";
        case Cause::duplicate_client_id:
            return "another client took over its id, and was not heard after that";
        case Cause::auth_error:
            return "its credentials were refused";
        case Cause::protocol_error:
            return "it broke the protocol";
        case Cause::throttled:
            return "it did not read what it was sent";
        case Cause::server_shutdown:
            return "its gateway was shut down";
        case Cause::gateway_lost:
            return "its gateway is lost";
        case Cause::sleep_announced:
            return "it announced that it goes to sleep";
        case Cause::admin:
            return "an operator ended its session";
    }
    return "";
}

/// Writes the entries of the list; each call is one.
class EvidenceList {
 public:
    explicit EvidenceList(JsonWriter& writer) : writer_(writer) {}

    /// `fields` writes the machine's part.
    template <class Fields>
    void add(std::string_view kind, Timestamp time, std::string_view text, Fields&& fields) {
        writer_.begin_object()
            .member("kind", kind)
            .member("time", is_known(time) ? std::optional(time) : std::nullopt)
            .member("text", text)
            .key("fields")
            .begin_object();
        fields(writer_);
        writer_.end_object().end_object();
    }

 private:
    JsonWriter& writer_;
};

/// The silence that the device may keep now.
struct Allowance {
    std::int64_t silence_s = 0;
    std::string_view rule;
};

Allowance allowance_of(const DeviceStatus& device) {
    const PresenceEvidence& evidence = device.document.evidence;
    Allowance allowance{evidence.timeout_s, name_of(evidence.timeout_rule)};
    const std::int64_t keep_alive_s = std::int64_t{device.document.keep_alive_s} * 3 / 2;
    const bool quiet = device.last_published < evidence.session_began;
    if (quiet && keep_alive_s > allowance.silence_s) {
        allowance = {keep_alive_s, "keep_alive"};
    }
    allowance.silence_s += evidence.sleep_s;
    return allowance;
}

double decayed(double penalty, Timestamp since, Timestamp now) {
    const double halves = static_cast<double>(std::max<std::int64_t>(0, (now - since).count())) / half_life_ms;
    return penalty * std::exp2(-halves);
}

/// The time at which `flap_penalty` and `contest` were what the document says.
Timestamp scored_at(const ExplanationSources& from) {
    return std::max(from.device.document.since, from.device.document.last_seen);
}

std::string verdict_text(const ExplanationSources& from) {
    const StatusDocument& document = from.device.document;
    if (document.state == PresenceState::never_seen) {
        return "Never seen: an operator registered it, and it has not connected yet.";
    }
    std::string text =
        fmt::format("{}{} since {} ({}), because {}.", static_cast<char>(std::toupper(name_of(document.state).front())),
                    name_of(document.state).substr(1), clock_text(document.since), ago_text(document.since, from.now),
                    cause_text(document.cause));
    if (is_known(from.pipeline.newest) && from.now - from.pipeline.newest > stale_after) {
        text += fmt::format(" The pipeline is {} behind: this may have changed since.",
                            span_text(from.now - from.pipeline.newest));
    }
    return text;
}

void add_signs_of_life(EvidenceList& list, const ExplanationSources& from) {
    const DeviceStatus& device = from.device;
    const bool heard = is_known(device.last_seen);
    const std::string_view kind = heard && device.last_seen == device.last_published ? "message"
                                  : heard && device.last_seen == device.last_ping    ? "ping"
                                                                                     : "session";
    list.add("last_packet", device.last_seen,
             heard ? fmt::format("The last sign of life came {}: a {}.", ago_text(device.last_seen, from.now),
                                 kind == "session" ? "record of its session" : kind)
                   : std::string("Nothing has ever been heard of it."),
             [&](JsonWriter& out) {
                 out.member("of", kind)
                     .member("telemetry_time",
                             is_known(device.telemetry_time) ? std::optional(device.telemetry_time) : std::nullopt);
             });
    list.add(
        "ping", device.last_ping,
        is_known(device.last_ping)
            ? fmt::format("The last ping that stood for itself came {}; its keep-alive is {} s.",
                          ago_text(device.last_ping, from.now), device.document.keep_alive_s)
            : fmt::format("No ping had to stand for itself; its keep-alive is {} s.", device.document.keep_alive_s),
        [&](JsonWriter& out) { out.member("keep_alive_s", device.document.keep_alive_s); });
    const Timestamp will = device.document.evidence.will;
    list.add("will", will,
             is_known(will) ? fmt::format("A gateway last published its will {}.", ago_text(will, from.now))
                            : std::string("No gateway has had to publish its will."),
             [&](JsonWriter& out) {
                 out.member("of_last_session", is_known(will) && will >= device.document.evidence.session_began);
             });
}

void add_session(EvidenceList& list, const ExplanationSources& from) {
    const StatusDocument& document = from.device.document;
    const PresenceEvidence& evidence = document.evidence;
    const bool open = is_known(evidence.session_began) && !is_known(evidence.session_ended);
    std::string text = "It has had no session.";
    if (is_known(evidence.session_began)) {
        text = fmt::format(
            "Its last session began {} on gateway {}, from {}, and {}.", ago_text(evidence.session_began, from.now),
            document.gateway, document.client_address.empty() ? "an address not told" : document.client_address,
            open ? std::string("has not ended as far as is known")
                 : fmt::format("ended {} later", span_text(evidence.session_ended - evidence.session_began)));
        if (evidence.farewell) {
            text += " It had published that it goes.";
        }
    }
    list.add("session", evidence.session_began, text, [&](JsonWriter& out) {
        out.member("open", open)
            .member("ended", is_known(evidence.session_ended) ? std::optional(evidence.session_ended) : std::nullopt)
            .member("gateway", document.gateway)
            .member("address", document.client_address)
            .member("protocol", document.protocol)
            .member("farewell", evidence.farewell);
    });
    list.add("epoch", evidence.session_began,
             fmt::format("That session has epoch {} of gateway process {}; records of older epochs decide nothing.",
                         document.epoch, document.incarnation),
             [&](JsonWriter& out) {
                 out.member("epoch", document.epoch)
                     .member("incarnation", document.incarnation)
                     .member("take_overs", evidence.take_overs);
             });
}

void add_deadline(EvidenceList& list, const ExplanationSources& from) {
    const StatusDocument& document = from.device.document;
    const Allowance allowance = allowance_of(from.device);
    const std::int64_t silent_s = std::chrono::floor<Seconds>(from.now - from.device.last_seen).count();
    std::string text = fmt::format("It may be silent for {} s, by ", allowance.silence_s);
    text += allowance.rule == "keep_alive" ? "1.5 times its keep-alive, for it has published nothing in this session"
            : allowance.rule == "device"   ? "its own setting"
            : allowance.rule == "model"    ? "the setting of its model"
                                           : "the fleet's default";
    if (document.evidence.sleep_s != 0) {
        text += fmt::format(", {} s of it for the sleep that it announced", document.evidence.sleep_s);
    }
    const bool counts = document.state == PresenceState::online;
    text += counts ? fmt::format("; it has been for {} s.", std::max<std::int64_t>(0, silent_s))
                   : std::string("; that decides nothing now.");
    list.add("heartbeat", counts ? from.device.last_seen + Seconds(allowance.silence_s) : Timestamp{}, text,
             [&](JsonWriter& out) {
                 out.member("allowed_s", allowance.silence_s)
                     .member("rule", allowance.rule)
                     .member("silent_s", std::max<std::int64_t>(0, silent_s))
                     .member("sleep_s", document.evidence.sleep_s);
             });
}

void add_ticks(EvidenceList& list, const ExplanationSources& from) {
    const Timestamp newest = from.pipeline.newest;
    const Millis behind = std::max(Millis(0), from.now - newest);
    const bool fresh = is_known(newest) && behind <= stale_after;
    list.add("ticks", newest,
             !is_known(newest) ? std::string("No tick has been seen yet: no silence can be judged.")
             : fresh ? fmt::format("Ticks of the gateways come: partition {} is judged up to {}.", from.partition,
                                   ago_text(newest, from.now))
                     : fmt::format("No tick for {}: nothing that happened since is known, and nobody goes offline by "
                                   "silence.",
                                   span_text(behind)),
             [&](JsonWriter& out) {
                 out.member("partition", from.partition).member("fresh", fresh).member("behind_ms", behind.count());
             });
}

void add_damping(EvidenceList& list, const ExplanationSources& from) {
    const StatusDocument& document = from.device.document;
    const bool flapping = has(document.overlays, Overlay::flapping);
    const double penalty = decayed(document.flap_penalty, scored_at(from), from.now);
    list.add("damping", {},
             flapping ? fmt::format("It is damped as flapping: its penalty of {:.0f} has yet to fall to {:.0f}; in the "
                                    "region's share it counts as {}.",
                                    penalty, release_penalty, document.evidence.steady_offline ? "offline" : "online")
                      : fmt::format("It is not damped: its penalty is {:.0f} of {:.0f}, after {} disconnects in all.",
                                    penalty, suppress_penalty, document.disconnects),
             [&](JsonWriter& out) {
                 out.member("flapping", flapping)
                     .member("penalty", std::round(penalty))
                     .member("disconnects", document.disconnects)
                     .member("counts_as_offline",
                             flapping ? document.evidence.steady_offline : document.state == PresenceState::offline);
             });
    const bool contested = has(document.overlays, Overlay::contested);
    if (contested || document.evidence.take_overs != 0) {
        const double contest = decayed(document.evidence.contest, scored_at(from), from.now);
        list.add("contest", {},
                 contested
                     ? fmt::format("Two clients fight over this id: {} take-overs in all. Give one of them another id.",
                                   document.evidence.take_overs)
                     : fmt::format("{} sessions took over from one that was online; that is not yet a fight.",
                                   document.evidence.take_overs),
                 [&](JsonWriter& out) {
                     out.member("contested", contested)
                         .member("take_overs", document.evidence.take_overs)
                         .member("score", std::round(contest));
                 });
    }
}

void add_plans(EvidenceList& list, const ExplanationSources& from) {
    const StatusDocument& document = from.device.document;
    if (has(document.overlays, Overlay::sleeping)) {
        list.add("sleep", {},
                 fmt::format("It announced a contact within {} s: it counts neither way until then.",
                             document.evidence.sleep_s),
                 [&](JsonWriter& out) { out.member("sleep_s", document.evidence.sleep_s); });
    }
    if (has(document.overlays, Overlay::maintenance)) {
        const auto window = std::find_if(from.policy.maintenance.begin(), from.policy.maintenance.end(),
                                         [&](const auto& one) { return one.id == document.evidence.maintenance; });
        const bool known = window != from.policy.maintenance.end();
        list.add("maintenance", known ? window->from : Timestamp{},
                 known ? fmt::format("It is in maintenance until {} ({}): it counts neither way.",
                                     clock_text(window->to), window->reason.empty() ? window->id : window->reason)
                       : std::string("It is in maintenance: it counts neither way."),
                 [&](JsonWriter& out) {
                     out.member("window", document.evidence.maintenance)
                         .member("until", known ? std::optional(window->to) : std::nullopt);
                 });
    }
}

/// What an incident of a rule on values saw of the device; nullptr: it is none of those that are listed.
const Incident::Member* member_of(const Incident& incident, std::string_view device) {
    const auto found = std::find_if(incident.devices.begin(), incident.devices.end(),
                                    [&](const Incident::Member& member) { return member.device == device; });
    return found == incident.devices.end() ? nullptr : &*found;
}

void add_rule(EvidenceList& list, const Incident& incident, std::string_view text, bool is_member) {
    list.add("rule", incident.opened, text, [&](JsonWriter& out) {
        out.member("incident", incident.id)
            .member("rule", incident.rule)
            .member("severity", incident.severity)
            .member("region", incident.region)
            .member("member", is_member);
    });
}

void add_rules(EvidenceList& list, const ExplanationSources& from) {
    for (const Incident& incident : from.incidents) {
        const auto* const member = member_of(incident, from.device.document.id);
        const auto listed = static_cast<std::int64_t>(incident.devices.size());
        if (member != nullptr) {
            add_rule(list, incident, fmt::format("Rule {} holds against it: {}.", incident.rule, member->text), true);
        } else if (incident.devices.empty() || listed < incident.members) {
            add_rule(list, incident,
                     fmt::format("Rule {} has an incident open where it is ({}): {}", incident.rule,
                                 incident.region.empty() ? "the fleet" : incident.region,
                                 incident.title.empty() ? incident.summary : incident.title),
                     false);
        }  // else it is an incident of other devices, all of which are known
    }
}

void add_history(EvidenceList& list, const ExplanationSources& from) {
    for (const Transition& transition : from.transitions) {
        list.add("transition", transition.time,
                 fmt::format("{}: {}, because {}.", clock_text(transition.time), name_of(transition.state),
                             cause_text(transition.cause)),
                 [&](JsonWriter& out) {
                     out.member("state", name_of(transition.state))
                         .member("cause", name_of(transition.cause))
                         .member("epoch", transition.epoch)
                         .member("detected_in_ms", transition.detected_in_ms);
                 });
    }
}

}  // namespace

std::string span_text(Millis span) {
    const std::int64_t seconds = std::chrono::floor<Seconds>(span).count();
    if (seconds < 1) {
        return fmt::format("{} ms", span.count());
    }
    if (seconds < 60) {
        return fmt::format("{} s", seconds);
    }
    if (seconds < 3600) {
        return fmt::format("{} min {} s", seconds / 60, seconds % 60);
    }
    if (seconds < 48 * 3600) {
        return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
    }
    return fmt::format("{} days", seconds / 86'400);
}

std::string explanation_json(const ExplanationSources& sources) {
    const StatusDocument& document = sources.device.document;
    std::string body;
    JsonWriter writer(body);
    writer.begin_object()
        .member("id", document.id)
        .member("time", sources.now)
        .member("state", name_of(document.state))
        .member("cause", name_of(document.cause))
        .member("since", document.since)
        .member("detected_in_ms", document.detected_in_ms)
        .member("verdict", verdict_text(sources))
        .key("evidence")
        .begin_array();
    EvidenceList list(writer);
    add_signs_of_life(list, sources);
    add_session(list, sources);
    add_deadline(list, sources);
    add_ticks(list, sources);
    add_damping(list, sources);
    add_plans(list, sources);
    add_rules(list, sources);
    add_history(list, sources);
    writer.end_array().end_object();
    return body;
}

}  // namespace muster
