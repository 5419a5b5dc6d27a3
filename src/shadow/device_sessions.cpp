#include "shadow/device_sessions.h"

#include <utility>

namespace muster {
namespace {

/// The device may be heard again in the very session.
bool may_return(Cause cause) {
    return cause == Cause::heartbeat_timeout || cause == Cause::gateway_lost || cause == Cause::sleep_announced;
}

}  // namespace

bool DeviceSessions::apply(Partition partition, const StatusDocument& document) {
    Table& table = table_of(partition);
    const auto found = table.find(document.id);
    if (found != table.end() && found->second.epoch > document.epoch) {
        return false;  // the device has subscribed in a later session, whose status is still to come
    }
    const bool same_session = found != table.end() && found->second.epoch == document.epoch;
    if (document.state != PresenceState::online) {
        if (same_session && may_return(document.cause)) {
            found->second.silent = true;
        } else {
            forget(partition, document.id);
        }
        return false;
    }
    if (same_session) {
        return std::exchange(found->second.silent, false);
    }
    return place(table, document.id, {document.epoch, interned(document.gateway)});
}

bool DeviceSessions::learn(Partition partition, std::string_view device, SessionEpoch epoch, std::string_view gateway,
                           bool takes_commands) {
    Table& table = table_of(partition);
    const auto found = table.find(device);
    if (found == table.end() || found->second.epoch < epoch) {
        place(table, device, {epoch, interned(gateway), takes_commands});
        return true;
    }
    if (found->second.epoch == epoch) {
        found->second.takes_commands = found->second.takes_commands || takes_commands;
        found->second.silent = false;
    }
    return found->second.epoch == epoch;
}

bool DeviceSessions::place(Table& table, std::string_view device, DeviceSession session) {
    if (const auto found = table.find(device); found != table.end()) {
        found->second = session;
        return true;
    }
    if (size_ >= sessions_max_) {
        ++refused_;
        return false;
    }
    table.emplace(device, session);
    ++size_;
    return true;
}

void DeviceSessions::forget(Partition partition, std::string_view device) {
    Table& table = table_of(partition);
    if (const auto found = table.find(device); found != table.end()) {
        table.erase(found);
        --size_;
    }
}

void DeviceSessions::forget(Partition partition) {
    Table& table = table_of(partition);
    size_ -= table.size();
    table = {};
}

const DeviceSession* DeviceSessions::find(Partition partition, std::string_view device) const {
    const auto index = static_cast<std::size_t>(partition);
    if (index >= tables_.size()) {
        return nullptr;
    }
    const auto found = tables_[index].find(device);
    return found == tables_[index].end() || found->second.silent ? nullptr : &found->second;
}

const std::string* DeviceSessions::interned(std::string_view gateway) {
    const auto found = gateways_.find(gateway);
    return found != gateways_.end() ? &*found : &*gateways_.emplace(gateway).first;
}

DeviceSessions::Table& DeviceSessions::table_of(Partition partition) {
    const auto index = static_cast<std::size_t>(partition);
    if (index >= tables_.size()) {
        tables_.resize(index + 1);
    }
    return tables_[index];
}

}  // namespace muster
