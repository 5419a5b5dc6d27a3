#pragma once

#include <map>

#include "alerts/notifier.h"

namespace muster {

struct AlertmanagerOptions {
    std::string url;                ///< "http://127.0.0.1:9093"; the path of its API is added
    std::string dashboard_url;      ///< incidents link to it; empty: no link
    Millis resend{30'000};          ///< while firing: Alertmanager forgets what it does not hear of for 5 min
    Millis tell_resolved{300'000};  ///< resolved alerts are sent on for so long, in case it was away
    Millis retry{5'000};
    std::size_t alerts_max = 4096;  ///< firing or resolved; over it the oldest resolved goes, then new ones are dropped
};

/// Keeps a Prometheus Alertmanager told of every open incident, through its API v2, and of the end of each. It is
/// stateless on their side: after a restart of either, everything that fires is sent again, and since its labels never
/// change it is the same alert. Labels: alertname, incident, severity at opening, region, cause at opening, rule.
/// Everything that changes (figures, summary, severity now) is an annotation.
class AlertmanagerNotifier final : public Notifier {
 public:
    explicit AlertmanagerNotifier(AlertmanagerOptions options) : options_(std::move(options)) {}

    void on_incident(const Incident& incident, bool adopted, Millis now) override;
    [[nodiscard]] std::optional<NotificationPost> next(Millis now, Timestamp wall) override;
    void on_answer(const Result<unsigned>& status, Millis now) override;
    [[nodiscard]] std::optional<Millis> due() const override;
    [[nodiscard]] NotifierCounts counts() const override;

 private:
    struct Alert {
        Incident incident;       ///< newest
        std::string labels;      ///< JSON, as first sent
        Millis forget_after{0};  ///< of a resolved one
    };
    [[nodiscard]] std::string labels_of(const Incident& incident) const;
    [[nodiscard]] std::string body_of() const;
    [[nodiscard]] bool make_room();

    const AlertmanagerOptions options_;
    std::map<std::string, Alert> alerts_;  ///< by incident
    Millis due_{0};
    bool changed_ = false;  ///< while a post is under way
    NotifierCounts counts_;
};

}  // namespace muster
