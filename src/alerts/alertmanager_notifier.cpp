#include "alerts/alertmanager_notifier.h"

#include <algorithm>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "contract/json.h"

namespace muster {
namespace {

std::string rfc3339(Timestamp time) {
    const auto second = std::chrono::floor<Seconds>(time);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(second)),
                       (time - second).count());
}

void append_members(std::string& out, std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
    out.push_back('{');
    bool first = true;
    for (const auto& [name, value] : members) {
        if (value.empty()) {
            continue;  // Alertmanager refuses empty label values
        }
        out.append(first ? "" : ",");
        json::append_string(out, name);
        out.push_back(':');
        json::append_string(out, value);
        first = false;
    }
    out.push_back('}');
}

}  // namespace

/// Those of the opening: an incident that is told first after a restart has them from what does not change.
std::string AlertmanagerNotifier::labels_of(const Incident& incident) const {
    std::string out;
    append_members(out, {{"alertname", "MusterIncident"},
                         {"incident", incident.id},
                         {"rule", incident.rule},
                         {"cause", name_of(incident.cause)}});
    return out;
}

bool AlertmanagerNotifier::make_room() {
    if (alerts_.size() < options_.alerts_max) {
        return true;
    }
    const auto oldest = std::min_element(alerts_.begin(), alerts_.end(), [](const auto& a, const auto& b) {
        return std::pair(a.second.incident.open, a.second.forget_after) <
               std::pair(b.second.incident.open, b.second.forget_after);
    });
    ++counts_.dropped;
    if (oldest->second.incident.open) {
        return false;
    }
    alerts_.erase(oldest);
    return true;
}

void AlertmanagerNotifier::on_incident(const Incident& incident, bool adopted, Millis now) {
    auto found = alerts_.find(incident.id);
    if (found == alerts_.end()) {
        // One that had ended before the start is told of only when that was just now; the caller's wall clock is not
        // asked: what ended long ago and is told once more does no harm, Alertmanager ignores it.
        if (!make_room()) {
            return;
        }
        found = alerts_.emplace(incident.id, Alert{incident, labels_of(incident), Millis(0)}).first;
        due_ = now;
        changed_ = true;
    }
    Alert& alert = found->second;
    const bool is_news = alert.incident.open != incident.open || alert.incident.severity != incident.severity;
    alert.incident = incident;
    if (!incident.open && alert.forget_after == Millis(0)) {
        alert.forget_after = now + (adopted ? options_.resend : options_.tell_resolved);
    }
    if (is_news) {
        due_ = now;
        changed_ = true;
    }
}

std::string AlertmanagerNotifier::body_of() const {
    std::string out = "[";
    for (const auto& [id, alert] : alerts_) {
        const Incident& incident = alert.incident;
        out.append(out.size() > 1 ? "," : "").append("{\"labels\":").append(alert.labels).append(",\"annotations\":");
        append_members(out, {{"title", incident.title},
                             {"summary", incident.summary},
                             {"severity", incident.severity},
                             {"region", incident.region},
                             {"cause", name_of(incident.cause)},
                             {"confidence", fmt::format("{:.2f}", incident.confidence)},
                             {"members", fmt::format("{}", incident.members)}});
        fmt::format_to(std::back_inserter(out), R"(,"startsAt":"{}")", rfc3339(incident.opened));
        if (incident.resolved) {
            fmt::format_to(std::back_inserter(out), R"(,"endsAt":"{}")", rfc3339(*incident.resolved));
        }
        if (!options_.dashboard_url.empty()) {
            out.append(",\"generatorURL\":");
            json::append_string(out, options_.dashboard_url + "/incidents/" + id);
        }
        out.push_back('}');
    }
    out.push_back(']');
    return out;
}

std::optional<NotificationPost> AlertmanagerNotifier::next(Millis now, Timestamp) {
    std::erase_if(alerts_,
                  [&](const auto& entry) { return !entry.second.incident.open && entry.second.forget_after < now; });
    if (alerts_.empty() || now < due_) {
        return std::nullopt;
    }
    changed_ = false;
    return NotificationPost{options_.url + "/api/v2/alerts", {}, body_of()};
}

void AlertmanagerNotifier::on_answer(const Result<unsigned>& status, Millis now) {
    const bool delivered = status && *status >= 200 && *status < 300;
    ++(delivered ? counts_.delivered : counts_.retried);
    due_ = now + (delivered ? options_.resend : options_.retry);
    if (changed_ && delivered) {
        due_ = now;  // what came meanwhile is told at once
    }
}

std::optional<Millis> AlertmanagerNotifier::due() const {
    return alerts_.empty() ? std::nullopt : std::optional(due_);
}

NotifierCounts AlertmanagerNotifier::counts() const {
    NotifierCounts counts = counts_;
    counts.waiting = alerts_.size();
    return counts;
}

}  // namespace muster
