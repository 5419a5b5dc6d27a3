#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alerts/cause_rule.h"
#include "alerts/notification_sender.h"
#include "alerts/region_rule.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "bus/bus.h"
#include "contract/alert_rule.h"

namespace muster {

struct AlertsOptions {
    std::string name = "alerts";  ///< of the producer, for metrics
    RegionRuleTuning tuning{};
    CauseRuleOptions causes{};
    std::vector<AlertRule> file_rules;  ///< of the rules file; those of an earlier file that are gone are removed
    std::vector<std::unique_ptr<NotificationSender>> notifiers;
    Millis idle{100};   ///< longest wait for reports
    Millis retry{500};  ///< between attempts when the bus says no
};

/// The alerts role: turns region counts (muster.regions) and device status (muster.status) into incidents on
/// muster.alerts, by the rules on muster.rules, and tells the notifiers; on one thread of its own. What it
/// keeps is on the bus: at its start it reads back the rules, every device's newest status, the newest counts of every
/// region, the incidents that are open and what its rules on values have learnt, and goes on from there, so that a
/// restart opens no second incident for the same cause. Time is only that of the reports. One at a time.
class Alerts final {
 public:
    /// Opens its topics. Everything passed outlives the role. `clock` serves the rate of log lines.
    [[nodiscard]] static Result<std::unique_ptr<Alerts>> start(AlertsOptions options, Bus& bus, const Clock& clock,
                                                               MetricRegistry& metrics);
    ~Alerts();
    Alerts(const Alerts&) = delete;
    Alerts& operator=(const Alerts&) = delete;

    /// Ends the thread; what it has said is handed to the bus. Safe to call twice.
    void stop();

 private:
    class Worker;
    explicit Alerts(std::unique_ptr<Worker> worker);
    std::unique_ptr<Worker> worker_;
};

}  // namespace muster
