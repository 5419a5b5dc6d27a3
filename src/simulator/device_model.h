#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/result.h"
#include "base/time.h"
#include "simulator/device_sensors.h"
#include "simulator/fleet_plan.h"

namespace muster {

/// What a device publishes.
struct DeviceMessage {
    std::string topic;
    std::string payload;
    std::uint8_t qos = 1;

    bool operator==(const DeviceMessage&) const = default;
};

/// What a device does about a message: publish these, then, when told so, disconnect cleanly and come back.
struct DeviceReaction {
    std::vector<DeviceMessage> messages;
    bool reboot = false;
};

/// One virtual device without its connection: measurements, settings, shadow and commands. Owned by its connection;
/// pure but for its own chance. Its plan outlives it.
class DeviceModel final {
 public:
    explicit DeviceModel(const PlannedDevice& plan);

    /// status/{id}: {"status":"ONLINE", attributes}.
    [[nodiscard]] DeviceMessage birth() const;
    /// status/{id}: OFFLINE, left with the broker.
    [[nodiscard]] DeviceMessage will() const;
    /// status/{id}: {"status":"OFFLINE","reason":"sleep","next_contact_s":…}.
    [[nodiscard]] DeviceMessage sleep_notice(Seconds next_contact) const;
    /// telemetry/{id}.
    [[nodiscard]] DeviceMessage telemetry(Timestamp now);
    [[nodiscard]] std::vector<std::string> subscriptions() const;

    /// To publish once the subscriptions stand: the settings after a start, the outcome of a reboot, a shadow get.
    [[nodiscard]] std::vector<DeviceMessage> on_subscribed();
    /// A message on one of the subscriptions. What it does not understand it ignores, except a command: that is
    /// answered.
    [[nodiscard]] DeviceReaction on_message(std::string_view topic, std::string_view payload);

    /// It has rebooted, as a command told it.
    void restart();

    [[nodiscard]] Millis telemetry_interval() const { return interval_; }
    [[nodiscard]] const PlannedDevice& plan() const { return *plan_; }

 private:
    enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };

    [[nodiscard]] Result<void> check(const boost::json::object& settings) const;
    void apply(const boost::json::object& settings);
    [[nodiscard]] boost::json::object settings() const;
    [[nodiscard]] DeviceMessage report(const boost::json::object& reported) const;
    [[nodiscard]] DeviceReaction obey_delta(const boost::json::object& delta);
    [[nodiscard]] DeviceReaction obey_command(std::string_view execution, std::string_view payload);
    [[nodiscard]] DeviceReaction reboot(std::string_view execution);
    [[nodiscard]] DeviceReaction set_config(std::string_view execution, const boost::json::object& request);
    [[nodiscard]] DeviceMessage answer(std::string_view execution, std::string_view status) const;
    [[nodiscard]] DeviceMessage reject(std::string_view execution, std::string_view code, std::string_view words) const;

    const PlannedDevice* plan_;
    DeviceSensors sensors_;
    std::string firmware_;
    Millis interval_;
    LogLevel log_level_ = LogLevel::info;
    bool just_started_ = true;
    bool reboot_to_answer_ = false;
    std::string reboot_pending_;  ///< execution whose reboot is under way
    std::string reboot_done_;     ///< the last one: delivered again, it is answered and not obeyed again
};

}  // namespace muster
