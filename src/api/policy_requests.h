#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/audit.h"
#include "api/policy_book.h"
#include "api/router.h"
#include "base/time.h"

namespace muster {

/// The routes of the fleet's policy: maintenance windows and heartbeat timeouts of models. Any thread; all of it
/// outlives the server.
class PolicyRequests final {
 public:
    PolicyRequests(PolicyBook& book, AuditLog& audit, const Clock& clock, std::function<std::string()> make_id)
        : book_(book), audit_(audit), clock_(clock), make_id_(std::move(make_id)) {}

    void add_routes(std::vector<Route>& routes);

 private:
    [[nodiscard]] HttpResponse get_policy(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_windows(const ApiRequest& request) const;
    void post_window(const ApiRequest& request, Respond respond);
    void delete_window(const ApiRequest& request, Respond respond);
    void put_model(const ApiRequest& request, Respond respond);
    void delete_model(const ApiRequest& request, Respond respond);

    /// Changes the policy, answers with `body` and `status` when it is durable, and writes a line to the audit log.
    void change(const ApiRequest& request, std::string action, std::string detail, HttpResponse done, Respond respond,
                FunctionRef<Result<void>(FleetPolicy&)> edit);
    void refuse(const ApiRequest& request, std::string_view action, const Error& error, const Respond& respond);
    [[nodiscard]] std::string window_json(const MaintenanceWindow& window) const;

    PolicyBook& book_;
    AuditLog& audit_;
    const Clock& clock_;
    const std::function<std::string()> make_id_;
};

}  // namespace muster
