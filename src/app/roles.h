#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "alerts/alerts.h"
#include "api/api.h"
#include "app/role_options.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "gateway/gateway.h"
#include "history/embedded_history_store.h"
#include "processor/processor.h"

namespace muster {

// From what the command line says to the options that the roles take: the same for `muster serve` and for a role that
// is a process of its own. Errors name the option that mends them.

inline constexpr std::size_t token_bytes = 24;  ///< of chance in a new API token
inline constexpr std::string_view no_listener = "none";
inline constexpr std::string_view operator_user = "operator";  ///< MQTT user name; its password is an API token

/// Keeps what was started in its place, or passes on why it was not.
template <class Started, class Place>
[[nodiscard]] Result<void> keep(Result<std::unique_ptr<Started>> started, std::unique_ptr<Place>& place) {
    if (!started) {
        return tl::unexpected(started.error());
    }
    place = std::move(*started);
    return {};
}

/// A start-up error that an option can mend says which.
[[nodiscard]] Result<void> naming(std::string_view option, Result<void> result);

[[nodiscard]] Result<void> make_data_directory(const std::string& path);

/// Listeners, threads and limits; not who is an operator. `has_tls`: one of the listeners has.
[[nodiscard]] Result<GatewayOptions> gateway_options(const GatewayRoleOptions& given, bool& has_tls);
[[nodiscard]] ProcessorOptions processor_options(const ProcessorRoleOptions& given, const std::string& directory);
[[nodiscard]] EmbeddedHistoryStoreOptions history_options(const HistoryRoleOptions& given,
                                                          const std::string& directory);
/// Reads the rules' file and makes the notifiers. `clock` and `metrics` outlive them.
[[nodiscard]] Result<AlertsOptions> alerts_options(const AlertsRoleOptions& given, const Clock& clock,
                                                   MetricRegistry& metrics);
/// Its pipeline and accuracy are the caller's to give.
[[nodiscard]] ApiOptions api_options(const ApiRoleOptions& given, const std::string& data_directory);

}  // namespace muster
