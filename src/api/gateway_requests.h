#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/audit.h"
#include "api/pipeline_health.h"
#include "api/request_channel.h"
#include "api/router.h"
#include "base/time.h"

namespace muster {

/// The routes by which an administrator sends a gateway's clients elsewhere, and ends that. The order goes over the
/// bus; how far it has come is told by GET /api/v1/fleet. Each writes a line to the audit log. Any thread; all of it
/// outlives the server.
class GatewayRequests final {
 public:
    /// `pipeline`: names the gateways there are.
    GatewayRequests(RequestChannel& channel, AuditLog& audit, const Clock& clock,
                    std::function<PipelineHealth()> pipeline)
        : channel_(channel), audit_(audit), clock_(clock), pipeline_(std::move(pipeline)) {}

    void add_routes(std::vector<Route>& routes);

 private:
    void post_drain(const ApiRequest& request, const Respond& respond);
    void delete_drain(const ApiRequest& request, const Respond& respond);
    void send(const ApiRequest& request, const Result<DrainOrder>& order, std::string_view action,
              const Respond& respond);
    [[nodiscard]] bool is_known(const std::string& gateway) const;

    RequestChannel& channel_;
    AuditLog& audit_;
    const Clock& clock_;
    const std::function<PipelineHealth()> pipeline_;
};

}  // namespace muster
