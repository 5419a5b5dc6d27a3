#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "api/audit.h"
#include "api/http_server.h"
#include "api/live.h"
#include "api/router.h"
#include "api/static_files.h"
#include "api/tokens.h"
#include "base/metrics.h"
#include "base/time.h"

namespace muster {

/// Counts and times what is answered, by route and status: as many time series as the table has rows and answers. Any
/// thread.
class RequestMetrics final {
 public:
    explicit RequestMetrics(MetricRegistry& metrics) : metrics_(metrics) {}
    void observe(std::string_view route, unsigned status, Millis took);

 private:
    MetricRegistry& metrics_;
    std::mutex mutex_;
    std::map<std::pair<std::string, unsigned>, Counter*> counters_;  // under mutex_
    std::map<std::string, Histogram*> histograms_;                   // under mutex_
};

/// What the dispatcher works with; all of it outlives it, and the dispatcher the server.
struct DispatcherParts {
    Router router;
    Tokens tokens;
    StaticFiles files;
    std::vector<std::string> allowed_hosts;
    LiveStream& live;
    AuditLog& audit;
    MetricRegistry& metrics;
    const Clock& clock;
};

/// Takes every request from the server: is it for this host, who asks, may they, which row of the table answers. Any
/// thread.
class Dispatcher final {
 public:
    static constexpr std::string_view live_path = "/api/v1/live";

    explicit Dispatcher(DispatcherParts parts);

    void on_request(HttpRequest request, Respond respond);
    [[nodiscard]] tl::expected<std::shared_ptr<WebSocketSession>, HttpResponse> on_upgrade(const HttpRequest& request);
    [[nodiscard]] HttpResponse on_bad_request(unsigned status);

    [[nodiscard]] const Tokens& tokens() const { return parts_.tokens; }
    [[nodiscard]] const Router& router() const { return parts_.router; }

 private:
    /// The refusal of a request from a page of another site.
    [[nodiscard]] std::optional<HttpResponse> foreign(const HttpRequest& request) const;
    [[nodiscard]] Result<Identity> identify(std::string_view token, Role least) const;
    void call(const Route& route, ApiRequest request, Respond respond);

    DispatcherParts parts_;
    RequestMetrics metrics_;
};

}  // namespace muster
