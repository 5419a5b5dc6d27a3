#include "processor/partition_fold.h"

#include <algorithm>
#include <new>

#include "base/assert.h"

namespace muster {
namespace {

/// Region reports go out with the first tick this long after the last ones: once a second, whatever the ticks' jitter.
constexpr std::int64_t report_interval_ms = 900;
constexpr std::int64_t sample_past_ms_max = 3'600'000;  ///< DESIGN 3.7: late samples up to an hour
constexpr std::int64_t sample_future_ms_max = 300'000;

}  // namespace

PartitionFold::PartitionFold(FoldOptions options) : options_(options), clocks_(options.gateways) {}

void PartitionFold::apply(std::string_view packed_header, std::string_view key, std::string_view value, Offset offset,
                          FoldOutput& out) {
    const DeviceStates::Key device = devices_.key_of(key);
    auto header = decode_event_header(packed_header);
    if (!header) {
        out.refuse(Refusal::bad_header);
        next_offset_ = std::max(next_offset_, offset + 1);
        return;
    }
    fold(EventRecord{*header, key, value, offset}, device, out);
}

void PartitionFold::apply(const EventRecord& record, FoldOutput& out) {
    fold(record, devices_.key_of(record.key), out);
}

void PartitionFold::fold(const EventRecord& record, const DeviceStates::Key& key, FoldOutput& out) {
    if (record.offset < next_offset_) {
        out.refuse(Refusal::repeated);
        return;
    }
    next_offset_ = record.offset + 1;
    Turn turn{record, out, key};
    dispatch(turn);
}

void PartitionFold::dispatch(Turn& turn) {
    const EventKind kind = turn.record.header.kind;
    if (kind > EventKind::policy) {
        turn.out.refuse(Refusal::bad_kind);
        return;
    }
    ++turn.out.counts.records[static_cast<std::size_t>(kind)];
    if (kind == EventKind::tick) {
        on_tick(turn);
    } else if (kind == EventKind::attributes) {
        on_attributes(turn);
    } else if (kind == EventKind::policy) {
        on_policy(turn);
    } else {
        on_session_record(turn);
    }
    finish_changes(turn);
    if (kind == EventKind::tick && clocks_.elapsed_ms() - reported_at_ms_ >= report_interval_ms) {
        reported_at_ms_ = clocks_.elapsed_ms();
        regions_.report(options_.partition, clocks_.partition_time(), turn.out.regions);
    }
}

bool PartitionFold::find_gateway(Turn& turn) {
    const EventHeader& header = turn.record.header;
    if (header.gateway.empty()) {
        turn.out.refuse(Refusal::bad_header);
        return false;
    }
    turn.gateway = names_.intern(header.gateway);
    if (turn.gateway != StringTable::full) {
        turn.slot = clocks_.find_or_add(turn.gateway, header.incarnation);
    }
    if (turn.slot == GatewayClocks::none) {
        turn.out.refuse(Refusal::too_many_gateways);
        return false;
    }
    return true;
}

void PartitionFold::on_session_record(Turn& turn) {
    const EventRecord& record = turn.record;
    if (record.header.epoch == 0) {
        turn.out.refuse(Refusal::bad_epoch);
        return;
    }
    devices_.approach(turn.key);
    // The payload is read while the device's state is under way from memory.
    const bool is_telemetry = record.header.kind == EventKind::telemetry;
    const auto reading = is_telemetry ? telemetry_.read(record.value) : TelemetryJson::Reading{};
    turn.device = devices_.find(turn.key);
    if (turn.device == DeviceStates::none && !is_valid_device_id(record.key)) {
        turn.out.refuse(Refusal::bad_key);
        return;
    }
    if (!find_gateway(turn)) {
        return;
    }
    if (turn.device == DeviceStates::none) {
        turn.device = devices_.find_or_add(turn.key);
        if (turn.device == DeviceStates::none) {
            turn.out.refuse(Refusal::too_many_devices);
            return;
        }
    }
    switch (record.header.kind) {
        case EventKind::telemetry:
            on_telemetry(turn, reading);
            break;
        case EventKind::connect:
            on_connect(turn);
            break;
        case EventKind::status:
            on_status(turn);
            break;
        case EventKind::ping:
            if (note_life(turn)) {
                touch(turn);
            }
            break;
        default:
            on_end(turn);
            break;
    }
}

void PartitionFold::touch(Turn& turn) {
    const EventHeader& header = turn.record.header;
    const TouchKind kind = header.kind == EventKind::ping     ? TouchKind::ping
                           : header.kind == EventKind::status ? TouchKind::message
                                                              : TouchKind::session;
    turn.out.touches.push_back({devices_.id(turn.device), header.received, {}, {}, kind});
}

void PartitionFold::on_telemetry(Turn& turn, const Result<TelemetryJson::Reading>& reading) {
    const bool live = note_life(turn);
    DeviceState& device = devices_.state(turn.device);
    if (live && !device.published) {
        device.published = true;
        schedule_session(turn.device);
    }
    StatusTouch touch{devices_.id(turn.device), turn.record.header.received, {}, {}};
    if (reading) {
        turn.out.counts.refused[static_cast<std::size_t>(Refusal::metric_ignored)] += reading->ignored;
        turn.out.counts.refused[static_cast<std::size_t>(Refusal::metrics_over_limit)] += reading->over_limit;
        for (const TelemetrySample& sample : reading->samples) {
            append_sample(turn, sample, touch);
        }
    } else {
        turn.out.refuse(Refusal::bad_telemetry);
    }
    if (live) {
        turn.out.touches.push_back(touch);
    }
}

void PartitionFold::append_sample(Turn& turn, const TelemetrySample& sample, StatusTouch& touch) {
    using Metric = std::pair<std::string_view, double>;
    if (sample.metrics.empty()) {
        return;
    }
    const std::int64_t received = to_epoch_ms(turn.record.header.received);
    std::int64_t time = sample.time_ms.value_or(received);
    const bool clamped = time < received - sample_past_ms_max || time > received + sample_future_ms_max;
    if (clamped) {
        turn.out.refuse(Refusal::time_clamped);
        time = received;
    }
    char* const memory = turn.out.arena.allocate(sample.metrics.size() * sizeof(Metric));
    auto* const metrics = reinterpret_cast<Metric*>(memory);
    for (std::size_t i = 0; i < sample.metrics.size(); ++i) {
        new (metrics + i) Metric(turn.out.arena.copy(sample.metrics[i].first), sample.metrics[i].second);
    }
    const std::span<const Metric> view(metrics, sample.metrics.size());
    turn.out.samples.push_back({touch.id, from_epoch_ms(time), view, clamped});
    if (from_epoch_ms(time) >= touch.telemetry_time) {
        touch.telemetry_time = from_epoch_ms(time);
        touch.metrics = view;
    }
}

void PartitionFold::on_attributes(Turn& turn) {
    if (!is_valid_device_id(turn.record.key)) {
        turn.out.refuse(Refusal::bad_key);
        return;
    }
    const auto attributes = parse_device_attributes(turn.record.value);
    if (!attributes) {
        turn.out.refuse(Refusal::bad_attributes);
        return;
    }
    const DeviceNumber number = devices_.find_or_add(turn.key);
    if (number == DeviceStates::none) {
        turn.out.refuse(Refusal::too_many_devices);
        return;
    }
    if (!devices_.state(number).counted) {
        mark_changed(number);
        devices_.state(number).since = turn.record.header.received;
        devices_.detail(number).state_began_ms = clocks_.elapsed_ms();
    }
    set_attributes(turn, number, *attributes, true);
}

void PartitionFold::on_tick(Turn& turn) {
    if (!find_gateway(turn)) {
        return;
    }
    const EventHeader& header = turn.record.header;
    switch (clocks_.on_tick(turn.slot, header.incarnation, header.sequence, header.received)) {
        case GatewayClocks::Tick::repeated:
            turn.out.refuse(Refusal::repeated);
            return;
        case GatewayClocks::Tick::stale:
            turn.out.refuse(Refusal::stale_incarnation);
            return;
        case GatewayClocks::Tick::restarted:
            lose_older_sessions(turn);
            break;
        case GatewayClocks::Tick::accepted:
            break;
    }
    if (clocks_.partition_time() >= next_window_change_) {
        settle_windows();
    }
    expire_overlays();
    expire_sessions(turn);
    judge_silence(turn);
}

void PartitionFold::judge_silence(Turn& turn) {
    for (Slot other = 0; other < clocks_.slots(); ++other) {
        if (other == turn.slot || !clocks_.is_used(other)) {
            continue;
        }
        std::int64_t silent_ms = 0;
        switch (clocks_.judge(other, turn.slot, silent_ms)) {
            case GatewayClocks::Silence::lost:
                lose_sessions(turn, other, silent_ms);
                break;
            case GatewayClocks::Silence::given_up:
                give_up_sessions(turn, other, silent_ms);
                break;
            case GatewayClocks::Silence::none:
                break;
        }
    }
}

PartitionFold::Change& PartitionFold::mark_changed(DeviceNumber number) {
    DeviceState& device = devices_.state(number);
    if (device.changing) {
        return *std::find_if(changes_.rbegin(), changes_.rend(),
                             [&](const Change& change) { return change.device == number; });
    }
    device.changing = true;
    const DeviceDetail& detail = devices_.detail(number);
    return changes_.emplace_back(Change{number, device.state, device.overlays, detail.place, 0, detail.steady_offline});
}

void PartitionFold::finish_changes(Turn& turn) {
    if (changes_.empty()) {
        return;
    }
    // By number, not in the order of discovery: that depends on how old the wheels are (G9).
    std::sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) { return a.device < b.device; });
    for (const Change& change : changes_) {
        finish_change(turn, change);
    }
    changes_.clear();
}

void PartitionFold::finish_change(Turn& turn, const Change& change) {
    DeviceState& device = devices_.state(change.device);
    device.changing = false;
    if (device.counted && !is_canary(devices_.id(change.device))) {
        regions_.subtract(change.place.region, contribution_of({change.state, change.overlays, change.steady_offline,
                                                                change.place.latitude, change.place.longitude}));
    }
    device.counted = true;
    count_in(change.device);

    StatusDocument& document = turn.out.documents.emplace_back(document_of(change.device));
    document.previous = change.state;
    document.detected_in_ms = change.detected_in_ms;
    document.offset = turn.record.offset;
    const bool moved_only = change.state == device.state && change.overlays == device.overlays;
    const bool stayed = change.place.region == devices_.detail(change.device).place.region;
    if ((moved_only && stayed) || is_canary(document.id)) {
        return;
    }
    const Timestamp time = change.state == device.state ? turn.record.header.received : device.since;
    auto& entries = moved_only ? turn.out.moves : turn.out.transitions;
    entries.push_back(
        {devices_.id(change.device),
         {time, device.state, device.cause, device.overlays, device.epoch, document.gateway, change.detected_in_ms,
          turn.record.offset, device.since, document.attributes.region, moved_only}});
}

/// Adds the device as it is to its region and those above.
void PartitionFold::count_in(DeviceNumber number) {
    const DeviceState& device = devices_.state(number);
    const DeviceDetail& detail = devices_.detail(number);
    if (!is_canary(devices_.id(number))) {
        regions_.add(detail.place.region, contribution_of({device.state, device.overlays, detail.steady_offline,
                                                           detail.place.latitude, detail.place.longitude}));
    }
}

PresenceEvidence PartitionFold::evidence_of(DeviceNumber number) const {
    const DeviceState& device = devices_.state(number);
    const DeviceDetail& detail = devices_.detail(number);
    PresenceEvidence evidence;
    evidence.session_began = detail.session_began;
    evidence.session_ended = detail.session_ended;
    evidence.will = detail.will;
    if (device.heartbeat_timeout_s == 0) {
        evidence.timeout_s = static_cast<std::uint32_t>(options_.heartbeat_timeout.count() / 1000);
    } else {
        const bool own = attributes_of(number).heartbeat_timeout_s != 0;
        evidence.timeout_s = device.heartbeat_timeout_s;
        evidence.timeout_rule = own ? TimeoutRule::device : TimeoutRule::model;
    }
    evidence.sleep_s = device.sleep_s;
    evidence.take_overs = detail.take_overs;
    evidence.contest = detail.contest.value_at(clocks_.elapsed_ms());
    evidence.farewell = device.farewell;
    evidence.steady_offline = detail.steady_offline;
    if (has(device.overlays, Overlay::maintenance)) {
        const MaintenanceWindow* const window = window_of(number);
        evidence.maintenance = window == nullptr ? std::string() : window->id;
    }
    return evidence;
}

StatusDocument PartitionFold::document_of(DeviceNumber number) const {
    const DeviceState& device = devices_.state(number);
    const DeviceDetail& detail = devices_.detail(number);
    StatusDocument document;
    document.id = devices_.id(number);
    document.state = device.state;
    document.previous = device.state;
    document.cause = device.cause;
    document.overlays = device.overlays;
    document.since = device.since;
    document.last_seen = device.last_seen;
    document.epoch = device.epoch;
    document.incarnation = device.incarnation;
    document.gateway = names_.at(device.gateway);
    document.keep_alive_s = device.keep_alive_s;
    document.flap_penalty = device.penalty.value_at(clocks_.elapsed_ms());
    document.disconnects = detail.disconnects;
    document.first_seen = detail.first_seen;
    document.client_address = detail.client_address;
    document.protocol = names_.at(detail.protocol);
    document.attributes = attributes_of(number);
    document.evidence = evidence_of(number);
    return document;
}

std::optional<StatusDocument> PartitionFold::document(std::string_view id) const {
    const DeviceNumber number = devices_.find(devices_.key_of(id));
    if (number == DeviceStates::none) {
        return std::nullopt;
    }
    return document_of(number);
}

}  // namespace muster
