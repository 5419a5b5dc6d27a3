#include "processor/lifecycle_event.h"

#include <fmt/format.h>

#include "contract/json.h"
#include "contract/mqtt_topics.h"

namespace muster {
namespace {

/// "192.0.2.7" of "192.0.2.7:4242", "::1" of "[::1]:4242".
std::string_view ip_of(std::string_view address) {
    address = address.substr(0, address.rfind(':'));
    if (address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
    }
    return address;
}

std::string event_json(std::string_view type, std::string_view device, SessionEpoch epoch, Timestamp time) {
    // A device id holds nothing that JSON would escape.
    return fmt::format(R"({{"clientId":"{0}","timestamp":{1},"eventType":"{2}","sessionIdentifier":"{3:016x}",)"
                       R"("principalIdentifier":"{0}")",
                       device, to_epoch_ms(time), type, epoch);
}

void finish(std::string& json, std::uint64_t version) {
    fmt::format_to(std::back_inserter(json), ",\"versionNumber\":{}}}", version);
}

}  // namespace

LifecycleEvent connected_event(std::string_view device, SessionEpoch epoch, Timestamp time,
                               std::string_view client_address) {
    std::string json = event_json("connected", device, epoch, time);
    if (!client_address.empty()) {
        json.append(",\"ipAddress\":");
        json::append_string(json, ip_of(client_address));
    }
    finish(json, epoch * 2);
    return {presence_topic("connected", device), std::move(json), time};
}

LifecycleEvent disconnected_event(std::string_view device, SessionEpoch epoch, Timestamp time, Cause cause) {
    std::string json = event_json("disconnected", device, epoch, time);
    const std::string_view reason = aws_disconnect_reason(cause);
    fmt::format_to(std::back_inserter(json), R"(,"clientInitiatedDisconnect":{},"disconnectReason":"{}")",
                   reason == "CLIENT_INITIATED_DISCONNECT", reason);
    finish(json, epoch * 2 + 1);
    return {presence_topic("disconnected", device), std::move(json), time};
}

}  // namespace muster
