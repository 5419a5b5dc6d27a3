#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/process_reporter.h"
#include "app/role_options.h"
#include "base/metrics.h"
#include "base/result.h"
#include "bus/bus.h"
#include "contract/process_report.h"
#include "net/system_clock.h"

namespace muster {

class HttpServer;

/// What a role does in a process of its own. Destroyed, and so stopped, before the bus.
class RunningRole {
 public:
    virtual ~RunningRole() = default;
    /// What changes in the process's report. From the reporter's thread.
    virtual void fill(ProcessReport& report) = 0;
    /// Why it cannot serve yet; empty: it can. From the metrics' threads.
    [[nodiscard]] virtual std::string unready() { return {}; }
    /// Where it is found, a line each for the terminal: "MQTT        mqtt://127.0.0.1:1883".
    [[nodiscard]] virtual std::vector<std::string> lines() const { return {}; }
    /// SIGHUP.
    virtual void reload() {}
    [[nodiscard]] virtual bool has_reload() const { return false; }
    /// For endpoints.json: where MQTT and the API are, as far as the role has them.
    [[nodiscard]] virtual std::string mqtt() const { return {}; }
    [[nodiscard]] virtual std::string http() const { return {}; }
};

/// What every process of a cluster has, whatever its role: data directory, clock, metrics with their address, the bus
/// on Kafka, and its report on it.
class ClusterProcess final {
 public:
    ClusterProcess(std::string role, RoleProcessOptions options);
    ~ClusterProcess();
    ClusterProcess(const ClusterProcess&) = delete;
    ClusterProcess& operator=(const ClusterProcess&) = delete;

    [[nodiscard]] const RoleProcessOptions& options() const { return options_; }
    [[nodiscard]] Bus& bus() { return *bus_; }
    [[nodiscard]] const Clock& clock() const { return clock_; }
    [[nodiscard]] MetricRegistry& metrics() { return metrics_; }
    [[nodiscard]] std::string path(std::string_view name) const;

    using Start = std::function<Result<std::unique_ptr<RunningRole>>(ClusterProcess&)>;
    /// Runs the role until SIGINT or SIGTERM; returns the exit code, 1 after one sentence when it cannot start.
    [[nodiscard]] int run(const Start& start);

 private:
    [[nodiscard]] Result<void> open();
    [[nodiscard]] Result<void> serve_metrics();
    [[nodiscard]] Result<void> start_role(const Start& start);
    void print_ready() const;

    const std::string role_;
    const RoleProcessOptions options_;
    net::SystemClock clock_;
    MetricRegistry metrics_;
    std::unique_ptr<Bus> bus_;
    std::unique_ptr<RunningRole> running_;
    std::unique_ptr<ProcessReporter> reporter_;
    std::string metrics_address_;
    std::unique_ptr<HttpServer> metrics_server_;  ///< asks running_: stopped first
};

}  // namespace muster
