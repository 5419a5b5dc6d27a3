#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/router.h"
#include "base/time.h"
#include "history/history_store.h"
#include "shadow/document_store.h"
#include "status/status_store.h"

namespace muster {

/// What the devices' queries read; all of it outlives them.
struct DeviceSources {
    const StatusStore& status;
    const HistoryStore& history;
    const DocumentStore& documents;
    const Clock& clock;
};

/// Devices, their history, transitions, shadows and commands, as JSON or CSV: the reading side. Any thread.
class DeviceQueries final {
 public:
    explicit DeviceQueries(DeviceSources sources) : sources_(sources) {}

    /// The body of GET /devices/{id}; nullopt: nobody knows the device.
    [[nodiscard]] Result<std::optional<std::string>> device(std::string_view id) const;

    void add_routes(std::vector<Route>& routes) const;

 private:
    [[nodiscard]] HttpResponse get_devices(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_device(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_history(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_history_csv(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_forecast(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_transitions(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_shadow(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_commands(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_command(const ApiRequest& request) const;

    [[nodiscard]] Result<HistoryQuery> history_query(const ApiRequest& request) const;
    [[nodiscard]] Result<HistoryResult> history(const HistoryQuery& query) const;
    [[nodiscard]] Result<std::optional<std::int64_t>> matched(const DeviceFilter& filter) const;

    DeviceSources sources_;
};

/// Which page of which devices a request asks for.
struct DevicePageRequest {
    DeviceFilter filter;
    std::size_t limit = 0;
    Result<std::string> after;  ///< the id to continue after; an error when the cursor is none
};
[[nodiscard]] DevicePageRequest read_device_page(QueryReader& reader);

/// A span of time that a request asks for.
struct TimeSpan {
    Timestamp from{};
    Timestamp to{};
};
/// from and to; by default the 24 hours before now. An absent `to` takes in what happened in this very millisecond.
[[nodiscard]] TimeSpan read_span(QueryReader& reader, Timestamp now);

/// The items of a comma-separated list.
[[nodiscard]] std::vector<std::string> split_list(std::string_view list);
/// A quoted CSV field, RFC 4180, that no spreadsheet takes for a formula.
void append_csv_field(std::string& out, std::string_view text);
/// Overlay names as a JSON array.
[[nodiscard]] std::string overlays_json(Overlays overlays);

}  // namespace muster
