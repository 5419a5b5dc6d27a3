#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "contract/incident.h"

namespace muster {

/// One HTTP POST of JSON.
struct NotificationPost {
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

/// What a notifier counts; the sender puts it into metrics.
struct NotifierCounts {
    std::uint64_t delivered = 0;
    std::uint64_t retried = 0;  ///< attempts that failed and are made again
    std::uint64_t given_up = 0;
    std::uint64_t dropped = 0;  ///< over the bound of its queue
    std::size_t waiting = 0;
};

/// What was delivered last of an incident: kept on the bus, so that a restart goes on from there.
struct NotificationMark {
    std::string incident;
    std::string severity;
    std::string region;
    bool ended = false;  ///< nothing more is to be told of it
};

/// The Notifier port: what somebody outside is told of incidents, and when. Two implementations: a signed webhook and
/// Prometheus Alertmanager; the list in the API is the third way and needs none. Pure: the sender passes the time in
/// (`now` monotonic, `wall` for what is written) and does what next() says. One thread at a time.
class Notifier {
 public:
    virtual ~Notifier() = default;

    /// What an earlier run delivered; before the first on_incident().
    virtual void restore(const NotificationMark& /*mark*/) {}
    /// What has been delivered since the last call. Empty from a notifier that tells everything again anyway.
    [[nodiscard]] virtual std::vector<NotificationMark> take_marks() { return {}; }
    /// An incident opened, changed or ended, or was found at the start (`adopted`: it may have been told before).
    virtual void on_incident(const Incident& incident, bool adopted, Millis now) = 0;
    /// What is due; nullopt: nothing before due().
    [[nodiscard]] virtual std::optional<NotificationPost> next(Millis now, Timestamp wall) = 0;
    /// What became of the last post: the HTTP status, or why there is none.
    virtual void on_answer(const Result<unsigned>& status, Millis now) = 0;
    /// When next() is to be asked again; nullopt: not before another incident.
    [[nodiscard]] virtual std::optional<Millis> due() const = 0;
    [[nodiscard]] virtual NotifierCounts counts() const = 0;
};

}  // namespace muster
