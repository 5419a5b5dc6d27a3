#pragma once

#include <vector>

#include "api/audit.h"
#include "api/router.h"
#include "api/rule_book.h"
#include "base/time.h"

namespace muster {

/// The routes of the rules: list, one, put, delete. A change is answered when it is durable and is a line of the audit
/// log. Any thread; all of it outlives the server.
class RuleRoutes final {
 public:
    RuleRoutes(RuleBook& book, AuditLog& audit, const Clock& clock) : book_(book), audit_(audit), clock_(clock) {}

    void add_routes(std::vector<Route>& routes);

 private:
    [[nodiscard]] HttpResponse get_rules(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_rule(const ApiRequest& request) const;
    void put_rule(const ApiRequest& request, const Respond& respond);
    void delete_rule(const ApiRequest& request, const Respond& respond);
    void audit(const ApiRequest& request, std::string_view action, std::string_view detail, unsigned status);

    RuleBook& book_;
    AuditLog& audit_;
    const Clock& clock_;
};

}  // namespace muster
