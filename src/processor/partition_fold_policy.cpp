#include <algorithm>

#include "processor/partition_fold.h"

namespace muster {

void PartitionFold::on_policy(Turn& turn) {
    auto policy = parse_fleet_policy(turn.record.value);
    if (!policy) {
        turn.out.refuse(Refusal::bad_policy);
        return;
    }
    if (policy->version <= policy_.version) {
        turn.out.refuse(Refusal::repeated);
        return;
    }
    const bool other_timeouts = policy->heartbeat_timeouts_s != policy_.heartbeat_timeouts_s;
    policy_ = std::move(*policy);
    for (DeviceNumber number = 0; other_timeouts && number < devices_.size(); ++number) {
        const std::uint32_t before = devices_.state(number).heartbeat_timeout_s;
        settle_timeout(number, attributes_of(number).heartbeat_timeout_s);
        if (devices_.state(number).heartbeat_timeout_s != before) {
            mark_changed(number);
            schedule_session(number);
        }
    }
    settle_windows();
}

/// The device's own word wins over its model's.
void PartitionFold::settle_timeout(DeviceNumber number, std::uint32_t own_timeout_s) {
    std::uint32_t& timeout_s = devices_.state(number).heartbeat_timeout_s;
    timeout_s = own_timeout_s;
    if (timeout_s == 0 && !policy_.heartbeat_timeouts_s.empty()) {
        const auto found = policy_.heartbeat_timeouts_s.find(model_name_of(number));
        timeout_s = found == policy_.heartbeat_timeouts_s.end() ? 0 : found->second;
    }
}

/// Looks which windows are open at the present partition time, and at every device; needed when a window opens or ends.
void PartitionFold::settle_windows() {
    const Timestamp now = clocks_.partition_time();
    const bool any_before = !open_windows_.empty();
    open_windows_.clear();
    next_window_change_ = Timestamp::max();
    for (std::size_t i = 0; i < policy_.maintenance.size(); ++i) {
        const MaintenanceWindow& window = policy_.maintenance[i];
        if (window.from <= now && now < window.to) {
            open_windows_.push_back(i);
        }
        for (const Timestamp change : {window.from, window.to}) {
            next_window_change_ = change > now ? std::min(next_window_change_, change) : next_window_change_;
        }
    }
    for (DeviceNumber number = 0; (any_before || !open_windows_.empty()) && number < devices_.size(); ++number) {
        settle_maintenance(number);
    }
}

void PartitionFold::settle_maintenance(DeviceNumber number) {
    DeviceState& device = devices_.state(number);
    const bool is_in = has(device.overlays, Overlay::maintenance);
    if (is_in != (window_of(number) != nullptr)) {
        mark_changed(number);
        device.overlays = static_cast<Overlays>(device.overlays ^ static_cast<Overlays>(Overlay::maintenance));
    }
}

/// The first open window, by id, that the device is in.
const MaintenanceWindow* PartitionFold::window_of(DeviceNumber number) const {
    if (open_windows_.empty()) {
        return nullptr;
    }
    const std::string_view region = region_name_of(number);
    const std::string_view model = model_name_of(number);
    for (const std::size_t i : open_windows_) {
        if (policy_.maintenance[i].query.matches(devices_.id(number), region, model)) {
            return &policy_.maintenance[i];
        }
    }
    return nullptr;
}

std::string_view PartitionFold::region_name_of(DeviceNumber number) const {
    const DeviceDetail& detail = devices_.detail(number);
    const std::uint32_t by_operator = detail.has_operator_attributes ? operator_attributes_.at(number).region : 0;
    return names_.at(by_operator != 0 ? by_operator : detail.declared.region);
}

std::string_view PartitionFold::model_name_of(DeviceNumber number) const {
    const DeviceDetail& detail = devices_.detail(number);
    const std::uint32_t by_operator = detail.has_operator_attributes ? operator_attributes_.at(number).model : 0;
    return names_.at(by_operator != 0 ? by_operator : detail.declared.model);
}

}  // namespace muster
