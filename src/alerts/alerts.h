#pragma once

#include <memory>
#include <string>

#include "alerts/region_rule.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "bus/bus.h"

namespace muster {

struct AlertsOptions {
    std::string name = "alerts";  ///< of the producer, for metrics
    RegionRuleOptions region_rule{};
    Millis idle{100};   ///< longest wait for reports
    Millis retry{500};  ///< between attempts when the bus says no
};

/// The alerts role: turns muster.regions into incidents on muster.alerts, on one thread of its own. It keeps nothing:
/// at its start it reads back the incidents that are open and the newest counts of every region, and goes on from
/// there, so that a restart opens no second incident for the same cause. Time is only that of the reports. One at a
/// time.
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
