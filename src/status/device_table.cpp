#include "status/device_table.h"

#include <algorithm>

#include "base/assert.h"

namespace muster {

DeviceTable::DeviceTable() : by_id_(0, HashOfId{this}, SameId{this}) {}

DeviceTable::Index DeviceTable::index_of(std::string_view id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? UINT32_MAX : *found;
}

DeviceTable::Device& DeviceTable::add(std::string_view id) {
    MUSTER_ASSERT(id.size() <= device_id_bytes_max);
    const auto index = static_cast<Index>(devices_.size());
    Device& device = devices_.emplace_back();
    device.id_and_address = id;
    device.id_bytes = static_cast<std::uint8_t>(id.size());
    by_id_.insert(index);
    unordered_.push_back(index);
    return device;
}

RegionCounts DeviceTable::contribution(const Device& device) const {
    if (is_canary(device.id())) {
        return {};
    }
    return contribution_of({device.state, device.overlays, device.steady_offline, device.latitude, device.longitude});
}

void DeviceTable::note_changed(Device& device, Index index) {
    if (!device.changed) {
        device.changed = true;
        changed_.push_back(index);
    }
}

DeviceTable::Applied DeviceTable::apply(const StatusDocument& document, std::size_t devices_max) {
    Index index = index_of(document.id);
    if (index == UINT32_MAX) {
        if (devices_.size() >= devices_max || !is_valid_device_id(document.id)) {
            return Applied::refused;
        }
        index = static_cast<Index>(devices_.size());
        fill(add(document.id), document);
    } else if (document.offset <= devices_[index].offset) {
        return Applied::redelivered;
    } else {
        Device& device = devices_[index];
        regions_.subtract(device.region, contribution(device));
        fill(device, document);
    }
    Device& device = devices_[index];
    device.last_seen = std::max(device.last_seen, document.last_seen);
    regions_.add(device.region, contribution(device));
    note_changed(device, index);
    return Applied::yes;
}

void DeviceTable::fill(Device& device, const StatusDocument& document) {
    const DeviceAttributes& attributes = document.attributes;
    device.id_and_address.resize(device.id_bytes);
    device.id_and_address.append(document.client_address);
    device.since = document.since;
    device.document_last_seen = document.last_seen;
    device.first_seen = document.first_seen;
    device.epoch = document.epoch;
    device.incarnation = document.incarnation;
    device.detected_in_ms = document.detected_in_ms;
    device.offset = document.offset;
    device.flap_penalty = document.flap_penalty;
    device.latitude = attributes.latitude;
    device.longitude = attributes.longitude;
    device.disconnects = document.disconnects;
    device.heartbeat_timeout_s = attributes.heartbeat_timeout_s;
    device.region = regions_.number_of(attributes.region);
    texts_.replace(device.gateway, document.gateway);
    texts_.replace(device.protocol, document.protocol);
    texts_.replace(device.model, attributes.model);
    texts_.replace(device.firmware, attributes.firmware);
    texts_.replace(device.carrier, attributes.carrier);
    device.keep_alive_s = document.keep_alive_s;
    device.state = document.state;
    device.previous = document.previous;
    device.cause = document.cause;
    device.overlays = document.overlays;
    fill_evidence(device, document.evidence);
}

void DeviceTable::fill_evidence(Device& device, const PresenceEvidence& evidence) {
    device.session_began = evidence.session_began;
    device.session_ended = evidence.session_ended;
    device.will = evidence.will;
    device.timeout_s = evidence.timeout_s;
    device.timeout_rule = evidence.timeout_rule;
    device.sleep_s = evidence.sleep_s;
    device.take_overs = evidence.take_overs;
    device.contest = static_cast<float>(evidence.contest);
    device.farewell = evidence.farewell;
    device.steady_offline = evidence.steady_offline;
    texts_.replace(device.maintenance, evidence.maintenance);
}

PresenceEvidence DeviceTable::evidence_of(const Device& device) const {
    PresenceEvidence evidence;
    evidence.session_began = device.session_began;
    evidence.session_ended = device.session_ended;
    evidence.will = device.will;
    evidence.timeout_s = device.timeout_s;
    evidence.timeout_rule = device.timeout_rule;
    evidence.sleep_s = device.sleep_s;
    evidence.take_overs = device.take_overs;
    evidence.contest = device.contest;
    evidence.farewell = device.farewell;
    evidence.steady_offline = device.steady_offline;
    evidence.maintenance = texts_.text(device.maintenance);
    return evidence;
}

bool DeviceTable::touch(const StatusTouch& touch) {
    const Index index = index_of(touch.id);
    if (index == UINT32_MAX) {
        return false;
    }
    Device& device = devices_[index];
    device.last_seen = std::max(device.last_seen, touch.last_seen);
    if (touch.kind == TouchKind::ping) {
        device.last_ping = std::max(device.last_ping, touch.last_seen);
    } else if (touch.kind == TouchKind::message) {
        device.last_published = std::max(device.last_published, touch.last_seen);
    }
    // A sample that comes late is history, not the latest.
    if (touch.telemetry_time != Timestamp{} && touch.telemetry_time >= device.telemetry_time) {
        device.telemetry_time = touch.telemetry_time;
        merge_metrics(device, touch);
    }
    note_changed(device, index);
    return true;
}

void DeviceTable::merge_metrics(Device& device, const StatusTouch& touch) {
    const std::size_t known = device.metrics.size();
    for (std::size_t i = 0; i < touch.metrics.size(); ++i) {
        const auto& [name, value] = touch.metrics[i];
        const auto is_it = [&, &wanted = name](const Metric& metric) { return texts_.text(metric.name) == wanted; };
        // A device says its values in the same order every time.
        const auto expected = device.metrics.begin() + static_cast<std::ptrdiff_t>(std::min(i, known));
        auto found = std::find_if(expected, device.metrics.end(), is_it);
        if (found == device.metrics.end()) {
            const auto before = std::find_if(device.metrics.begin(), expected, is_it);
            found = before == expected ? found : before;
        }
        if (found != device.metrics.end()) {
            found->value = value;
        } else if (device.metrics.size() < latest_metrics_max) {
            device.metrics.push_back({texts_.acquire(name), value});
        }
    }
}

void DeviceTable::restore(const DeviceStatus& stored) {
    Device& device = add(stored.document.id);
    fill(device, stored.document);
    device.last_seen = stored.last_seen;
    device.telemetry_time = stored.telemetry_time;
    device.last_ping = stored.last_ping;
    device.last_published = stored.last_published;
    for (const auto& [name, value] : stored.metrics) {
        device.metrics.push_back({texts_.acquire(name), value});
    }
    regions_.add(device.region, contribution(device));
}

std::optional<DeviceStatus> DeviceTable::get(std::string_view id) const {
    const Index index = index_of(id);
    return index == UINT32_MAX ? std::nullopt : std::optional(status(index));
}

DeviceStatus DeviceTable::status(Index index) const {
    const Device& device = devices_[index];
    DeviceStatus result;
    StatusDocument& document = result.document;
    document.id = device.id();
    document.state = device.state;
    document.previous = device.previous;
    document.cause = device.cause;
    document.overlays = device.overlays;
    document.since = device.since;
    document.last_seen = device.document_last_seen;
    document.epoch = device.epoch;
    document.incarnation = device.incarnation;
    document.gateway = texts_.text(device.gateway);
    document.keep_alive_s = device.keep_alive_s;
    document.detected_in_ms = device.detected_in_ms;
    document.flap_penalty = device.flap_penalty;
    document.disconnects = device.disconnects;
    document.first_seen = device.first_seen;
    document.client_address = device.address();
    document.protocol = texts_.text(device.protocol);
    document.attributes.region = regions_.path(device.region);
    document.attributes.model = texts_.text(device.model);
    document.attributes.firmware = texts_.text(device.firmware);
    document.attributes.carrier = texts_.text(device.carrier);
    document.attributes.latitude = device.latitude;
    document.attributes.longitude = device.longitude;
    document.attributes.heartbeat_timeout_s = device.heartbeat_timeout_s;
    document.evidence = evidence_of(device);
    document.offset = device.offset;
    result.last_ping = device.last_ping;
    result.last_published = device.last_published;
    result.last_seen = device.last_seen;
    result.telemetry_time = device.telemetry_time;
    for (const Metric& metric : device.metrics) {
        result.metrics.emplace_back(texts_.text(metric.name), metric.value);
    }
    std::ranges::sort(result.metrics, {}, &std::pair<std::string, double>::first);
    return result;
}

/// Where each new device belongs is looked up; what lies between is only copied, so that a few new devices among a
/// million cost a few milliseconds.
void DeviceTable::order() {
    const auto id_of = [this](Index index) { return devices_[index].id(); };
    if (!std::ranges::is_sorted(unordered_, {}, id_of)) {  // as a snapshot is
        std::ranges::sort(unordered_, {}, id_of);
    }
    std::vector<Index> merged;
    merged.reserve(ordered_.size() + unordered_.size());
    auto from = ordered_.begin();
    for (const Index index : unordered_) {
        const auto place = std::ranges::lower_bound(from, ordered_.end(), id_of(index), {}, id_of);
        merged.insert(merged.end(), from, place);
        merged.push_back(index);
        from = place;
    }
    merged.insert(merged.end(), from, ordered_.end());
    ordered_.swap(merged);
    unordered_.clear();
}

bool DeviceTable::matches(const Device& device, const Matcher& matcher) const {
    const DeviceFilter& filter = matcher.filter;
    if (is_canary(device.id()) && !is_canary(filter.id_prefix)) {
        return false;
    }
    return (!filter.state || device.state == *filter.state) &&
           (!filter.overlay || has(device.overlays, *filter.overlay)) &&
           (filter.model.empty() || device.model == matcher.model) &&
           (filter.region.empty() || regions_.is_within(device.region, matcher.region));
}

bool DeviceTable::list(const DeviceFilter& filter, std::string& after, std::size_t limit, std::size_t looked_at_max,
                       std::vector<DeviceStatus>& page) const {
    const Matcher matcher{filter, regions_.find(filter.region), texts_.find(filter.model)};
    if (matcher.region == RegionTree::absent || matcher.model == TextPool::absent) {
        return true;
    }
    const auto id_of = [this](Index index) { return devices_[index].id(); };
    auto at = after < filter.id_prefix ? std::ranges::lower_bound(ordered_, filter.id_prefix, {}, id_of)
                                       : std::ranges::upper_bound(ordered_, after, {}, id_of);
    const auto looked_at_end = ordered_.end() - at > static_cast<std::ptrdiff_t>(looked_at_max)
                                   ? at + static_cast<std::ptrdiff_t>(looked_at_max)
                                   : ordered_.end();
    for (; at != looked_at_end; ++at) {
        const Device& device = devices_[*at];
        if (!device.id().starts_with(filter.id_prefix)) {
            return true;
        }
        if (matches(device, matcher)) {
            if (page.size() == limit) {
                return false;
            }
            page.push_back(status(*at));
        }
        after = device.id();
    }
    return at == ordered_.end();
}

std::vector<DeviceTable::Index> DeviceTable::take_changed() {
    std::vector<Index> taken;
    taken.swap(changed_);
    for (const Index index : taken) {
        devices_[index].changed = false;
    }
    return taken;
}

void DeviceTable::put_back_changed(const std::vector<Index>& devices) {
    for (const Index index : devices) {
        note_changed(devices_[index], index);
    }
}

}  // namespace muster
