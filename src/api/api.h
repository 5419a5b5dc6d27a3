#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/pipeline_health.h"
#include "api/tokens.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "contract/detection_accuracy.h"

namespace muster {

class Bus;
class StatusStore;
class HistoryStore;
class DocumentStore;

struct ApiOptions {
    std::string listen = "127.0.0.1:8080";   ///< address:port, [v6]:port; port 0 takes a free one
    std::string name = "api-1";              ///< of this instance: its replies come on muster.downlink.{name}
    std::string data_directory = "data";     ///< tokens.json and audit.log live here; made when absent
    std::string web_directory;               ///< dashboard files from here; empty = those embedded in the program
    std::vector<std::string> allowed_hosts;  ///< Host names accepted beside localhost and loopback addresses
    std::string version = "0.1.0";
    std::size_t threads = 2;                      ///< that serve HTTP
    std::size_t connections_max = 8192;           ///< open at once, WebSockets included; more are answered 503
    std::size_t live_sessions_max = 4096;         ///< WebSockets of /api/v1/live
    std::size_t pending_replies_max = 1024;       ///< changes under way; more are answered 503
    Millis reply_timeout{5000};                   ///< then a change is answered 504
    std::size_t incidents_max = 10'000;           ///< kept in memory, the oldest resolved go first
    std::function<std::string()> make_token;      ///< 32 or more characters fit for a secret; required
    std::function<PipelineHealth()> pipeline;     ///< empty: the fleet is shown as stale
    std::function<DetectionAccuracy()> accuracy;  ///< empty: nobody measures
};

/// The api role: REST under /api/v1, the live WebSocket, the dashboard's files, /metrics, /healthz and /readyz
/// (DESIGN 3.8). Reads the stores, asks the shadow role for changes over the bus, owns nothing that cannot be rebuilt
/// but its tokens and its audit log. Has `threads` HTTP threads, one for the bus, one for incidents and one that paces
/// the live stream; all of them end in stop(). The dependencies must outlive it.
class Api final {
 public:
    /// invalid_argument: an address that is not loopback (TLS comes later), a missing token source. io: the port is
    /// taken, or the data directory cannot be written. Each in a sentence for an administrator.
    [[nodiscard]] static Result<std::unique_ptr<Api>> start(ApiOptions options, Bus& bus, StatusStore& status,
                                                            HistoryStore& history, DocumentStore& documents,
                                                            MetricRegistry& metrics, const Clock& clock);
    ~Api();
    Api(const Api&) = delete;
    Api& operator=(const Api&) = delete;

    /// Stops listening, ends every connection, joins the threads. Twice is fine.
    void stop();

    [[nodiscard]] std::uint16_t port() const;
    /// "http://127.0.0.1:8080"
    [[nodiscard]] std::string url() const;
    /// The first token of this role, for printing a link to the dashboard; empty when the file has none.
    [[nodiscard]] std::string token(Role role) const;
    /// Whether the token is one of role operator or admin: the gateway asks it for MQTT operators. Any thread.
    [[nodiscard]] bool is_operator_token(std::string_view token) const;
    /// Method and path pattern of every row of its table.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes() const;

 private:
    struct Parts;
    explicit Api(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace muster
