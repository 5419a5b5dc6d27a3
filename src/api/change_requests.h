#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/audit.h"
#include "api/request_channel.h"
#include "api/router.h"
#include "base/time.h"

namespace muster {

/// The routes that change something: attributes, shadows and commands. Each checks what was asked, sends it over the
/// bus, answers with what came back and writes a line to the audit log. Any thread; all of it outlives the server.
class ChangeRequests final {
 public:
    ChangeRequests(RequestChannel& channel, AuditLog& audit, const Clock& clock)
        : channel_(channel), audit_(audit), clock_(clock) {}

    void add_routes(std::vector<Route>& routes);

 private:
    /// Who asked for what, until it is answered and audited.
    struct Change {
        std::string token;
        std::string action;
        std::string device;
        std::string detail;
        Respond respond;
    };

    void put_device(ApiRequest request, Respond respond);
    void patch_shadow(ApiRequest request, Respond respond);
    void delete_shadow(ApiRequest request, Respond respond);
    void post_command(ApiRequest request, Respond respond);

    void ask(Change change, const std::string& topic, std::string body);
    void answer(const Change& change, HttpResponse response);

    RequestChannel& channel_;
    AuditLog& audit_;
    const Clock& clock_;
};

}  // namespace muster
