#include <algorithm>

#include "contract/connect_detail.h"
#include "processor/lifecycle_event.h"
#include "processor/partition_fold.h"
#include "processor/status_message.h"

namespace muster {
namespace {

constexpr std::int64_t no_deadline = -1;

constexpr Overlays with(Overlays set, Overlay one) {
    return static_cast<Overlays>(set | static_cast<Overlays>(one));
}

constexpr Overlays without(Overlays set, Overlay one) {
    return static_cast<Overlays>(set & ~static_cast<Overlays>(one));
}

/// Ends of a session that are the device's own doing or its link's: those that an announcement explains.
bool is_ordinary_end(Cause cause) {
    return cause == Cause::will || cause == Cause::client_disconnect || cause == Cause::connection_lost ||
           cause == Cause::keepalive_timeout;
}

/// Ends that speak of an unsteady device. What Muster did, or what was announced, does not.
bool is_flap(Cause cause) {
    return is_ordinary_end(cause) || cause == Cause::heartbeat_timeout || cause == Cause::protocol_error ||
           cause == Cause::auth_error || cause == Cause::throttled;
}

/// Why a session ended by its last record. A will says "will", unless its gateway says that the session was taken over
/// or that the gateway itself goes: then the device is not to blame.
Cause end_cause(const EventHeader& header) {
    const bool not_the_device = header.cause == Cause::duplicate_client_id || header.cause == Cause::server_shutdown;
    if (header.kind == EventKind::will && !not_the_device) {
        return Cause::will;
    }
    return header.cause == Cause::none ? Cause::connection_lost : header.cause;
}

/// "192.0.2.7" of "192.0.2.7:4242".
std::string_view host_of(std::string_view address) {
    return address.substr(0, address.rfind(':'));
}

/// A take-over from another address is a whole step of a fight over an id; one from the same address is half a step,
/// for a device that comes back while its old connection is not yet known to be dead looks the same.
constexpr std::uint32_t take_over_tenths = FlapPenalty::disconnect_tenths;
constexpr std::size_t expired_ahead = 16;         ///< devices on their way from memory while one is looked at
constexpr std::int64_t steady_after_ms = 60'000;  ///< DESIGN 3.4: "their last stable minute"

/// Time from the last evidence of life. An open socket is evidence, so only silence takes time to be noticed.
std::int64_t end_detected_in_ms(const EventHeader& header, const DeviceState& device) {
    return header.cause == Cause::keepalive_timeout
               ? std::max<std::int64_t>(0, (header.received - device.last_seen).count())
               : 0;
}

}  // namespace

void PartitionFold::on_connect(Turn& turn) {
    const EventHeader& header = turn.record.header;
    DeviceState& device = devices_.state(turn.device);
    if (header.epoch == device.epoch && device.open) {
        // Late: other records of the session came first and began it. They did not know this.
        if (device.keep_alive_s != header.keep_alive_s) {
            mark_changed(turn.device);
            device.keep_alive_s = header.keep_alive_s;
        }
        read_connect_detail(turn);
        if (note_life(turn)) {
            touch(turn);
        }
        schedule_session(turn.device);
        return;
    }
    if (header.epoch <= device.epoch) {
        turn.out.refuse(Refusal::stale_epoch);
        return;
    }
    read_connect_detail(turn);
    (void)note_life(turn);
}

void PartitionFold::read_connect_detail(Turn& turn) {
    const auto read = parse_connect_detail(turn.record.value);
    if (!read) {
        turn.out.refuse(Refusal::bad_detail);
        return;
    }
    DeviceDetail& detail = devices_.detail(turn.device);
    turn.other_host = host_of(detail.client_address) != host_of(read->address);
    const std::uint32_t protocol = interned_name(read->protocol, turn.out);
    if (detail.client_address != read->address || detail.protocol != protocol) {
        mark_changed(turn.device);
        detail.client_address = read->address;
        detail.protocol = protocol;
    }
}

/// True when the record shows the current session alive; begins the session when the record is its first.
bool PartitionFold::note_life(Turn& turn) {
    const EventHeader& header = turn.record.header;
    DeviceState& device = devices_.state(turn.device);
    GatewayClock& clock = clocks_.at(turn.slot);
    const bool first = header.epoch > device.epoch;
    if (!first && (header.epoch < device.epoch || !device.open)) {
        turn.out.refuse(Refusal::stale_epoch);
        return false;
    }
    if (header.incarnation < clock.incarnation) {
        // The process that wrote it has been replaced: its sessions are gone, this one too.
        turn.out.refuse(Refusal::stale_incarnation);
        if (first) {
            begin_session(turn, Cause::connect);
            device.open = false;
            devices_.detail(turn.device).session_ended = header.received;
            lose_session(turn.device, Cause::gateway_lost, header.received, 0);
        }
        return false;
    }
    if (first) {
        begin_session(turn, header.kind == EventKind::connect ? Cause::connect : Cause::heartbeat);
        return true;
    }
    if (clock.lost) {
        clocks_.on_heard(turn.slot);
    }
    device.last_seen = header.received;
    const std::int64_t observed = clock.observed_at(header.received, header.incarnation);
    if (device.clock != turn.slot) {
        // Its clock had been forgotten, and the gateway is back.
        device.clock = turn.slot;
        device.evidence_ms = observed;
        device.session_check = 0;
    }
    device.evidence_ms = std::max(device.evidence_ms, observed);
    if (device.state != PresenceState::online) {
        set_online(turn, Cause::heartbeat);
    }
    return true;
}

void PartitionFold::begin_session(Turn& turn, Cause cause) {
    const EventHeader& header = turn.record.header;
    mark_changed(turn.device);
    if (clocks_.at(turn.slot).lost) {
        clocks_.on_heard(turn.slot);  // no session is ever on a clock that nobody waits for
    }
    DeviceState& device = devices_.state(turn.device);
    DeviceDetail& detail = devices_.detail(turn.device);
    if (device.state == PresenceState::online) {
        note_take_over(turn);
    }
    detail.session_began = header.received;
    detail.session_ended = {};
    device.epoch = header.epoch;
    device.incarnation = header.incarnation;
    device.gateway = turn.gateway;
    device.clock = turn.slot;
    device.session_check = 0;
    device.keep_alive_s = header.keep_alive_s;
    device.evidence_ms = clocks_.at(turn.slot).observed_at(header.received, header.incarnation);
    device.last_seen = header.received;
    device.open = true;
    device.published = false;
    device.farewell = false;
    if (header.kind != EventKind::connect) {
        device.keep_alive_s = 0;
        detail.client_address.clear();
        detail.protocol = 0;
    }
    if (detail.first_seen == Timestamp{}) {
        detail.first_seen = header.received;
    }
    end_sleep(turn.device);
    settle_maintenance(turn.device);
    set_online(turn, cause);
    turn.out.lifecycle.push_back(
        connected_event(devices_.id(turn.device), header.epoch, header.received, detail.client_address));
}

/// Again and again in a short time, it is two clients with one id. Either alone is well: no flapping.
void PartitionFold::note_take_over(Turn& turn) {
    DeviceDetail& detail = devices_.detail(turn.device);
    ++detail.take_overs;
    detail.contest.add(turn.other_host ? take_over_tenths : take_over_tenths / 2, clocks_.elapsed_ms());
    if (detail.contest.is_suppressed()) {
        DeviceState& device = devices_.state(turn.device);
        device.overlays = with(device.overlays, Overlay::contested);
        schedule_overlay(turn.device);
    }
}

/// The device must be marked as changed: what it counted as is noted there.
void PartitionFold::change_state(DeviceNumber number, PresenceState state, Cause cause, Timestamp time) {
    DeviceState& device = devices_.state(number);
    DeviceDetail& detail = devices_.detail(number);
    const std::int64_t now = clocks_.elapsed_ms();
    if (now - detail.state_began_ms >= steady_after_ms) {
        detail.steady_offline = device.state == PresenceState::offline;
    }
    detail.state_began_ms = now;
    device.state = state;
    device.cause = cause;
    device.since = time;
    if (has(device.overlays, Overlay::flapping)) {
        schedule_overlay(number);
    }
}

/// A take-over leaves an online device as it was: `since` and `cause` are those of its state.
void PartitionFold::set_online(Turn& turn, Cause cause) {
    DeviceState& device = devices_.state(turn.device);
    if (device.state != PresenceState::online) {
        mark_changed(turn.device);
        change_state(turn.device, PresenceState::online, cause, turn.record.header.received);
    }
    schedule_session(turn.device);
}

void PartitionFold::on_status(Turn& turn) {
    if (!note_life(turn)) {
        return;
    }
    touch(turn);
    DeviceState& device = devices_.state(turn.device);
    device.published = true;
    const auto message = parse_status_message(turn.record.value);
    if (!message) {
        turn.out.refuse(Refusal::bad_status);
    } else {
        // A farewell alone changes no state, for the session lives until it ends; but then the end is the client's own.
        device.farewell = message->is_farewell();
        if (message->announces_sleep()) {
            announce_sleep(turn.device, message->next_contact_s);
        } else if (message->word != StatusMessage::Word::none) {
            end_sleep(turn.device);
        }
        if (message->attributes) {
            set_attributes(turn, turn.device, *message->attributes, false);
        }
        if (message->bad_attributes) {
            turn.out.refuse(Refusal::bad_attributes);
        }
    }
    schedule_session(turn.device);
}

void PartitionFold::announce_sleep(DeviceNumber number, std::uint32_t next_contact_s) {
    DeviceState& device = devices_.state(number);
    if (!has(device.overlays, Overlay::sleeping)) {
        mark_changed(number);
        device.overlays = with(device.overlays, Overlay::sleeping);
    }
    device.sleep_s = next_contact_s;
}

void PartitionFold::end_sleep(DeviceNumber number) {
    DeviceState& device = devices_.state(number);
    device.sleep_s = 0;
    device.sleep_until_ms = 0;
    if (has(device.overlays, Overlay::sleeping)) {
        mark_changed(number);
        device.overlays = without(device.overlays, Overlay::sleeping);
    }
}

void PartitionFold::on_end(Turn& turn) {
    const EventHeader& header = turn.record.header;
    DeviceState& device = devices_.state(turn.device);
    if (header.epoch < device.epoch) {
        turn.out.refuse(Refusal::stale_epoch);
        if (header.kind == EventKind::disconnect) {
            turn.out.lifecycle.push_back(
                disconnected_event(devices_.id(turn.device), header.epoch, header.received, end_cause(header)));
        }
        return;
    }
    if (header.epoch > device.epoch) {
        begin_session(turn, Cause::heartbeat);
    } else if (!device.open) {
        return;  // the will said it, or the session was over before
    }
    device.open = false;
    mark_changed(turn.device);
    DeviceDetail& detail = devices_.detail(turn.device);
    detail.session_ended = header.received;
    detail.will = header.kind == EventKind::will ? header.received : detail.will;
    const Cause cause = end_cause(header);
    turn.out.lifecycle.push_back(disconnected_event(devices_.id(turn.device), header.epoch, header.received, cause));
    if (cause == Cause::client_disconnect) {
        device.last_seen = header.received;
    }
    if (cause == Cause::duplicate_client_id) {
        // Another session has it, somewhere; its connect has come or will. If it does not, the timeout still runs.
        schedule_session(turn.device);
    } else if (device.state == PresenceState::offline) {
        return;
    } else if (cause == Cause::server_shutdown) {
        lose_session(turn.device, cause, header.received, 0);
    } else {
        go_offline(turn.device, cause, header.received, end_detected_in_ms(header, device));
    }
}

void PartitionFold::lose_session(DeviceNumber number, Cause cause, Timestamp time, std::int64_t detected_in_ms) {
    DeviceState& device = devices_.state(number);
    if (!device.open) {
        // The grace time begins now, on the clock of the gateway's new process.
        device.evidence_ms = clocks_.at(device.clock).observed_ms;
        device.session_check = 0;
    }
    if (device.state == PresenceState::online) {
        mark_changed(number).detected_in_ms = detected_in_ms;
        change_state(number, PresenceState::unknown, cause, time);
    }
    schedule_session(number);
}

void PartitionFold::go_offline(DeviceNumber number, Cause cause, Timestamp time, std::int64_t detected_in_ms) {
    mark_changed(number).detected_in_ms = detected_in_ms;
    DeviceState& device = devices_.state(number);
    if (is_ordinary_end(cause) && device.sleep_s != 0) {
        cause = Cause::sleep_announced;
    } else if (is_ordinary_end(cause) && device.farewell) {
        cause = Cause::client_disconnect;
    }
    const std::int64_t now = clocks_.elapsed_ms();
    if (cause == Cause::heartbeat_timeout || device.sleep_s == 0) {
        end_sleep(number);
    } else {
        device.sleep_until_ms = now + timeout_ms(device);
    }
    change_state(number, PresenceState::offline, cause, time);
    ++devices_.detail(number).disconnects;
    const bool explained = has(device.overlays, Overlay::contested) || has(device.overlays, Overlay::maintenance);
    if (is_flap(cause) && !explained) {
        device.penalty.add_disconnect(now);
        if (device.penalty.is_suppressed()) {
            device.overlays = with(device.overlays, Overlay::flapping);
        }
    }
    schedule_overlay(number);
}

// Gateways ------------------------------------------------------------------------------------------------------------

/// A new process of the gateway ticks: the sessions of the older ones are gone.
void PartitionFold::lose_older_sessions(Turn& turn) {
    const EventHeader& header = turn.record.header;
    for (DeviceNumber number = 0; number < devices_.size(); ++number) {
        DeviceState& device = devices_.state(number);
        if (device.gateway != turn.gateway || device.clock != turn.slot || device.incarnation >= header.incarnation) {
            continue;
        }
        const bool was_open = device.open;
        device.open = false;
        if (was_open) {
            devices_.detail(number).session_ended = header.received;
        }
        if (device.state == PresenceState::online || (device.state == PresenceState::unknown && was_open)) {
            lose_session(number, Cause::gateway_lost, header.received, 0);
        }
    }
}

void PartitionFold::lose_sessions(Turn& turn, Slot lost, std::int64_t silent_ms) {
    for (DeviceNumber number = 0; number < devices_.size(); ++number) {
        DeviceState& device = devices_.state(number);
        if (device.state == PresenceState::online && device.clock == lost) {
            mark_changed(number).detected_in_ms = silent_ms;
            change_state(number, PresenceState::unknown, Cause::gateway_lost, turn.record.header.received);
        }
    }
}

void PartitionFold::give_up_sessions(Turn& turn, Slot lost, std::int64_t silent_ms) {
    for (DeviceNumber number = 0; number < devices_.size(); ++number) {
        const DeviceState& device = devices_.state(number);
        if (device.state == PresenceState::unknown && device.clock == lost) {
            go_offline(number, device.cause, turn.record.header.received, silent_ms);
        }
    }
}

// Deadlines -----------------------------------------------------------------------------------------------------------

std::int64_t PartitionFold::timeout_ms(const DeviceState& device) const {
    std::int64_t timeout = device.heartbeat_timeout_s != 0 ? std::int64_t{device.heartbeat_timeout_s} * 1000
                                                           : options_.heartbeat_timeout.count();
    if (!device.published) {
        // It has promised nothing but its keep-alive: docs/decisions/0005-heartbeat-of-a-quiet-session.md.
        timeout = std::max(timeout, std::int64_t{device.keep_alive_s} * 1500);
    }
    return timeout + std::int64_t{device.sleep_s} * 1000;
}

std::int64_t PartitionFold::session_deadline_ms(const DeviceState& device) const {
    if (device.state == PresenceState::unknown && !device.open) {
        return device.evidence_ms + options_.gateways.grace.count();
    }
    if (device.state == PresenceState::online || device.state == PresenceState::unknown) {
        return device.evidence_ms + timeout_ms(device);
    }
    return no_deadline;
}

/// Evidence only moves a deadline back, and the wheel finds that out when it looks; so this is called only when a
/// deadline comes to be, or may have come nearer.
void PartitionFold::schedule_session(DeviceNumber number) {
    DeviceState& device = devices_.state(number);
    const std::int64_t deadline = session_deadline_ms(device);
    if (deadline == no_deadline) {
        return;
    }
    const DeadlineWheel::Bucket bucket = DeadlineWheel::bucket_of(deadline);
    if (device.session_check == 0 || bucket < device.session_check) {
        device.session_check = clocks_.at(device.clock).sessions.schedule(number, bucket);
    }
}

void PartitionFold::expire_sessions(Turn& turn) {
    GatewayClock& clock = clocks_.at(turn.slot);
    taken_.clear();
    due_.clear();
    clock.sessions.advance(clock.observed_ms, taken_);
    for (std::size_t i = 0; i < taken_.size(); ++i) {
        devices_.approach(taken_[std::min(i + expired_ahead, taken_.size() - 1)].first);
        const auto [number, bucket] = taken_[i];
        DeviceState& device = devices_.state(number);
        if (device.clock == turn.slot && device.session_check == bucket) {
            device.session_check = 0;
            due_.push_back(number);
        }
    }
    for (const DeviceNumber number : due_) {
        const DeviceState& device = devices_.state(number);
        const std::int64_t deadline = session_deadline_ms(device);
        if (deadline == no_deadline) {
            continue;
        }
        if (!clock.sessions.is_due(DeadlineWheel::bucket_of(deadline))) {
            schedule_session(number);
            continue;
        }
        const Cause cause = device.open                             ? Cause::heartbeat_timeout
                            : device.state == PresenceState::online ? Cause::duplicate_client_id
                                                                    : device.cause;
        go_offline(number, cause, turn.record.header.received, clock.observed_ms - device.evidence_ms);
    }
}

void PartitionFold::schedule_overlay(DeviceNumber number) {
    DeviceState& device = devices_.state(number);
    const DeviceDetail& detail = devices_.detail(number);
    std::int64_t deadline = INT64_MAX;
    if (has(device.overlays, Overlay::sleeping) && device.state == PresenceState::offline) {
        deadline = device.sleep_until_ms;
    }
    if (has(device.overlays, Overlay::flapping)) {
        deadline = std::min(deadline, device.penalty.released_at_ms());
        if (detail.steady_offline != (device.state == PresenceState::offline)) {
            deadline = std::min(deadline, detail.state_began_ms + steady_after_ms);
        }
    }
    if (has(device.overlays, Overlay::contested)) {
        deadline = std::min(deadline, detail.contest.released_at_ms());
    }
    if (deadline == INT64_MAX) {
        return;
    }
    const DeadlineWheel::Bucket bucket = DeadlineWheel::bucket_of(deadline);
    if (device.overlay_check == 0 || bucket < device.overlay_check) {
        device.overlay_check = overlay_wheel_.schedule(number, bucket);
    }
}

void PartitionFold::expire_overlays() {
    taken_.clear();
    overlay_wheel_.advance(clocks_.elapsed_ms(), taken_);
    for (const auto& [number, bucket] : taken_) {
        if (devices_.state(number).overlay_check == bucket) {
            devices_.state(number).overlay_check = 0;
            expire_overlay(number);
        }
    }
}

void PartitionFold::expire_overlay(DeviceNumber number) {
    DeviceState& device = devices_.state(number);
    if (has(device.overlays, Overlay::sleeping) && device.state == PresenceState::offline &&
        overlay_wheel_.is_due(DeadlineWheel::bucket_of(device.sleep_until_ms))) {
        end_sleep(number);
    }
    if (has(device.overlays, Overlay::flapping) &&
        overlay_wheel_.is_due(DeadlineWheel::bucket_of(device.penalty.released_at_ms()))) {
        mark_changed(number);
        device.penalty.decay_to(clocks_.elapsed_ms());
        device.overlays = without(device.overlays, Overlay::flapping);
    }
    DeviceDetail& detail = devices_.detail(number);
    const bool is_offline = device.state == PresenceState::offline;
    if (has(device.overlays, Overlay::flapping) && detail.steady_offline != is_offline &&
        overlay_wheel_.is_due(DeadlineWheel::bucket_of(detail.state_began_ms + steady_after_ms))) {
        mark_changed(number);
        detail.steady_offline = is_offline;
    }
    if (has(device.overlays, Overlay::contested) &&
        overlay_wheel_.is_due(DeadlineWheel::bucket_of(detail.contest.released_at_ms()))) {
        mark_changed(number);
        detail.contest.decay_to(clocks_.elapsed_ms());
        device.overlays = without(device.overlays, Overlay::contested);
    }
    schedule_overlay(number);
}

}  // namespace muster
