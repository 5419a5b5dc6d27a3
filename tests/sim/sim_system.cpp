#include "sim_system.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/random.h"

namespace muster::sim {
namespace {

using Kind = SimAction::Kind;

constexpr std::int64_t start_ms = 1'700'000'000'000;
constexpr std::int64_t step_ms = 50;
constexpr std::int64_t speak_interval_ms = 1500;
constexpr std::int64_t keep_alive_s = 2;
constexpr std::int64_t notice_ms_max = 3000;  // 1.5 times the keep-alive
constexpr std::int64_t tick_ms = 1000;
constexpr std::int64_t process_slack_ms = 500;
constexpr std::size_t devices_max = 1000;
constexpr Millis checkpoint_interval{3000};
constexpr std::uint64_t device_draws = 1'000'000'000;  ///< more than a device's records

/// A number for each draw that depends on nothing but what it is for.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    return Random(a * 0x9e3779b97f4a7c15ULL ^ b).next();
}

}  // namespace

FoldOptions sim_fold_options(Partition partition) {
    FoldOptions options;
    options.partition = partition;
    options.heartbeat_timeout = Millis(4000);
    options.gateways.lost_after = Millis(3000);
    options.gateways.grace = Millis(5000);
    return options;
}

EventRecord SimRecord::view(Offset offset) const {
    EventRecord record{header, device, value, offset};
    record.header.gateway = gateway;
    return record;
}

SimSystem::SimSystem(std::uint64_t seed, const SimScenario& scenario)
    : scenario_(scenario), seed_(seed), bus_(scenario.partitions), reported_(scenario.partitions) {
    for (std::uint32_t i = 0; i < scenario.devices; ++i) {
        Device& device = devices_.emplace_back();
        device.id = fmt::format("d{}", i);
    }
    for (std::uint32_t i = 0; i < scenario.gateways; ++i) {
        Gateway& gateway = gateways_.emplace_back();
        gateway.name = fmt::format("gw-{}", i);
        const auto spread = static_cast<std::uint64_t>(2 * scenario.skew_ms_max + 1);
        gateway.skew_ms = static_cast<std::int64_t>(mix(seed, i) % spread) - scenario.skew_ms_max;
        gateway.next_tick_ms = static_cast<std::int64_t>(mix(seed, 100 + i) % tick_ms);
    }
    for (std::uint32_t i = 0; i < scenario.partitions; ++i) {
        Processor& processor = processors_.emplace_back();
        processor.fold = std::make_unique<PartitionFold>(sim_fold_options(static_cast<Partition>(i)));
    }
}

SimSystem::~SimSystem() = default;

std::uint64_t SimSystem::records() const {
    std::uint64_t records = 0;
    for (const auto& partition : bus_) {
        records += partition.size();
    }
    return records;
}

void SimSystem::complain(std::string what) {
    if (wrong_.empty()) {
        wrong_ = fmt::format("at {} ms: {}", now_ms_, what);
    }
}

std::string SimSystem::run(const SimSchedule& schedule) {
    for (const SimAction& action : schedule) {
        step(action.at_ms);
        act(action);
    }
    step(scenario_.chaos_ms);
    heal();
    step(scenario_.chaos_ms + scenario_.settle_ms);
    judge_the_end();
    judge_replay();
    judge_regions();
    return wrong_;
}

void SimSystem::step(std::int64_t until_ms) {
    while (now_ms_ < until_ms && wrong_.empty()) {
        now_ms_ += std::min(step_ms, until_ms - now_ms_);
        failing_ = false;
        for (Gateway& gateway : gateways_) {
            if (!gateway.alive && gateway.back_at_ms <= now_ms_) {
                revive(gateway);
            }
            failing_ = failing_ || !is_up(gateway) || gateway.cut_until_ms > now_ms_;
        }
        for (const Processor& processor : processors_) {
            failing_ = failing_ || processor.fold == nullptr || processor.paused_until_ms > now_ms_;
        }
        if (failing_) {
            note_failure();
        }
        deliver_notices();
        tick_gateways();
        speak();
        move_to_bus();
        process();
        judge_bounds();
    }
}

// What happens --------------------------------------------------------------------------------------------------------

void SimSystem::act(const SimAction& action) {
    switch (action.kind) {
        case Kind::connect:
            connect(action.subject, action.gateway, action.dice);
            break;
        case Kind::leave:
        case Kind::breaks:
        case Kind::freeze:
            end(action.subject, action);
            break;
        case Kind::kill_gateway:
            kill(gateways_[action.subject], action.span_ms, action.dice);
            break;
        case Kind::suspend_gateway:
            gateways_[action.subject].suspended_until_ms = now_ms_ + action.span_ms;
            alerts_.on_failure();
            note_failure();
            break;
        case Kind::cut_gateway:
            gateways_[action.subject].cut_until_ms = now_ms_ + action.span_ms;
            alerts_.on_failure();
            note_failure();
            break;
        case Kind::lose_disk:
            processors_[action.subject].disk.clear();
            kill(processors_[action.subject], action.span_ms);
            break;
        case Kind::kill_processor:
            kill(processors_[action.subject], action.span_ms);
            break;
        case Kind::pause_processor:
            processors_[action.subject].paused_until_ms = now_ms_ + action.span_ms;
            note_failure();
            break;
    }
}

/// From here on everything works again.
void SimSystem::heal() {
    for (Gateway& gateway : gateways_) {
        gateway.suspended_until_ms = 0;
        gateway.cut_until_ms = 0;
        if (!gateway.alive) {
            revive(gateway);
        }
    }
    for (Processor& processor : processors_) {
        processor.paused_until_ms = 0;
        processor.back_at_ms = now_ms_;
    }
}

void SimSystem::revive(Gateway& gateway) {
    gateway.alive = true;
    ++gateway.incarnation;
    gateway.ticks = 0;
    gateway.next_tick_ms = now_ms_;
    gateway.last_due_ms = now_ms_;
}

bool SimSystem::is_up(const Gateway& gateway) const {
    return gateway.alive && gateway.suspended_until_ms <= now_ms_;
}

bool SimSystem::holds(const Session& session) const {
    const Gateway& gateway = gateways_[session.gateway];
    return session.epoch != 0 && gateway.alive && gateway.incarnation == session.incarnation;
}

void SimSystem::connect(std::size_t number, std::uint32_t index, std::uint64_t dice) {
    Device& device = devices_[number];
    Random random(dice);
    const Gateway& gateway = gateways_[index];
    if (!is_up(gateway)) {
        return;
    }
    if ((device.alive || device.frozen) && holds(device.session)) {
        // The old gateway is told of the take-over, or finds a dead connection in its own time.
        const bool same = device.session.gateway == index;
        const bool told = same || random.chance(0.7);
        const std::int64_t delay = same ? 0 : static_cast<std::int64_t>(random.below(notice_ms_max));
        notices_.push_back({now_ms_ + delay, number, device.session,
                            told ? Cause::duplicate_client_id : Cause::keepalive_timeout, random.chance(0.5)});
        deliver_notices();
    }
    device.session = {++device.last_epoch, index, gateway.incarnation};
    device.alive = true;
    device.frozen = false;
    device.speak_at_ms = now_ms_;
    note_truth(device);
    write(EventKind::connect, index, number, device.session.epoch, Cause::none, {});
    write(EventKind::status, index, number, device.session.epoch, Cause::none,
          fmt::format(R"({{"status":"ONLINE","region":"r/{}"}})", number % 3));
}

void SimSystem::end(std::size_t number, const SimAction& action) {
    Device& device = devices_[number];
    if (!device.alive) {
        return;
    }
    Random random(action.dice);
    device.alive = false;
    note_truth(device);
    if (action.kind == Kind::freeze) {
        device.frozen = true;
        return;
    }
    if (action.kind == Kind::leave) {
        notices_.push_back({now_ms_, number, device.session, Cause::client_disconnect, false});
    } else {
        const bool at_once = random.chance(0.5);
        const std::int64_t delay = at_once ? 0 : static_cast<std::int64_t>(random.below(notice_ms_max));
        notices_.push_back({now_ms_ + delay, number, device.session,
                            at_once ? Cause::connection_lost : Cause::keepalive_timeout, random.chance(0.5)});
    }
    deliver_notices();
}

void SimSystem::kill(Gateway& gateway, std::int64_t span_ms, std::uint64_t dice) {
    if (!gateway.alive) {
        return;
    }
    note_failure();
    alerts_.on_failure();
    gateway.alive = false;
    gateway.back_at_ms = now_ms_ + span_ms;
    const auto index = static_cast<std::uint32_t>(&gateway - gateways_.data());
    for (Device& device : devices_) {
        if (device.session.gateway == index && (device.alive || device.frozen)) {
            device.alive = false;
            device.frozen = false;
            note_truth(device);
        }
    }
    // What the bus has not taken yet is lost with the process, or is on its way all the same; none of it is
    // acknowledged.
    if (Random(dice).chance(0.5)) {
        gateway.outbox.clear();
    }
}

void SimSystem::kill(Processor& processor, std::int64_t span_ms) {
    processor.fold.reset();
    processor.back_at_ms = now_ms_ + span_ms;
    note_failure();
}

void SimSystem::deliver_notices() {
    std::vector<Notice> due;
    std::erase_if(notices_, [&](const Notice& notice) {
        const bool is_due = notice.at_ms <= now_ms_ && gateways_[notice.session.gateway].suspended_until_ms <= now_ms_;
        if (is_due && holds(notice.session)) {
            due.push_back(notice);
        }
        return is_due;
    });
    for (const Notice& notice : due) {
        if (notice.with_will) {
            write(EventKind::will, notice.session.gateway, notice.device, notice.session.epoch,
                  notice.cause == Cause::duplicate_client_id ? notice.cause : Cause::none, "OFFLINE");
        }
        write(EventKind::disconnect, notice.session.gateway, notice.device, notice.session.epoch, notice.cause, {});
    }
}

void SimSystem::tick_gateways() {
    for (std::uint32_t index = 0; index < gateways_.size(); ++index) {
        Gateway& gateway = gateways_[index];
        if (!is_up(gateway)) {
            gateway.next_tick_ms = std::max(gateway.next_tick_ms, now_ms_);
            continue;
        }
        // At most one tick not yet durable: time in which the bus takes nothing is not seen.
        const bool waits = std::any_of(gateway.outbox.begin(), gateway.outbox.end(), [](const Outgoing& outgoing) {
            return outgoing.record.header.kind == EventKind::tick;
        });
        if (now_ms_ < gateway.next_tick_ms || waits) {
            continue;
        }
        gateway.next_tick_ms = now_ms_ + tick_ms;
        ++gateway.ticks;
        for (Partition partition = 0; partition < static_cast<Partition>(bus_.size()); ++partition) {
            Outgoing tick;
            tick.partition = partition;
            tick.record.header.kind = EventKind::tick;
            tick.record.header.sequence = gateway.ticks;
            put(index, std::move(tick), ++gateway.writes);
        }
    }
}

void SimSystem::speak() {
    for (std::size_t number = 0; number < devices_.size(); ++number) {
        Device& device = devices_[number];
        const Gateway& gateway = gateways_[device.session.gateway];
        if (device.alive && now_ms_ >= device.speak_at_ms && is_up(gateway)) {
            device.speak_at_ms = now_ms_ + speak_interval_ms;
            ++messages_;
            write(EventKind::telemetry, device.session.gateway, number, device.session.epoch, Cause::none,
                  fmt::format(R"({{"n":{}}})", messages_), messages_);
        }
    }
}

// Gateway to bus ------------------------------------------------------------------------------------------------------

void SimSystem::write(EventKind kind, std::uint32_t gateway, std::size_t device, SessionEpoch epoch, Cause cause,
                      std::string value, std::uint64_t message) {
    Outgoing outgoing;
    outgoing.partition = static_cast<Partition>(device % bus_.size());
    outgoing.message = message;
    outgoing.record.device = devices_[device].id;
    outgoing.record.value = std::move(value);
    outgoing.record.header.kind = kind;
    outgoing.record.header.epoch = epoch;
    outgoing.record.header.cause = cause;
    outgoing.record.header.keep_alive_s = kind == EventKind::connect ? keep_alive_s : 0;
    put(gateway, std::move(outgoing), (device + 1) * device_draws + ++devices_[device].writes);
}

/// The order of a gateway's records is that in which it wrote them. `draw` names the record among all of this seed, so
/// that its chances stay the same when others are left out.
void SimSystem::put(std::uint32_t index, Outgoing outgoing, std::uint64_t draw) {
    Gateway& gateway = gateways_[index];
    Random random(mix(seed_ ^ (std::uint64_t{index} << 56U), draw));
    outgoing.record.gateway = gateway.name;
    outgoing.record.header.incarnation = gateway.incarnation;
    outgoing.record.header.received = from_epoch_ms(start_ms + now_ms_ + gateway.skew_ms);
    const auto lag = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(scenario_.lag_ms_max) + 1));
    outgoing.due_ms = std::max(gateway.last_due_ms, now_ms_ + (random.chance(0.3) ? lag : 0));
    outgoing.twice = random.chance(scenario_.duplicate_share);
    gateway.last_due_ms = outgoing.due_ms;
    gateway.outbox.push_back(std::move(outgoing));
}

void SimSystem::move_to_bus() {
    for (Gateway& gateway : gateways_) {
        if (gateway.cut_until_ms > now_ms_) {
            continue;
        }
        while (!gateway.outbox.empty() && gateway.outbox.front().due_ms <= now_ms_) {
            Outgoing& outgoing = gateway.outbox.front();
            auto& partition = bus_[static_cast<std::size_t>(outgoing.partition)];
            if (outgoing.twice) {
                partition.push_back(outgoing.record);
            }
            if (outgoing.message != 0) {
                acknowledged_.insert(outgoing.message);
            }
            partition.push_back(std::move(outgoing.record));
            gateway.outbox.pop_front();
        }
    }
}

// Bus to stores -------------------------------------------------------------------------------------------------------

void SimSystem::process() {
    for (std::size_t i = 0; i < processors_.size(); ++i) {
        Processor& processor = processors_[i];
        if (processor.fold == nullptr && processor.back_at_ms <= now_ms_) {
            const FoldOptions options = sim_fold_options(static_cast<Partition>(i));
            const std::string& kept = processor.disk.empty() ? processor.on_bus : processor.disk;
            processor.fold = kept.empty() ? std::make_unique<PartitionFold>(options)
                                          : std::move(*PartitionFold::restore(options, kept));
        }
        if (processor.fold == nullptr || processor.paused_until_ms > now_ms_) {
            continue;
        }
        FoldOutput out;
        while (processor.fold->next_offset() < static_cast<Offset>(bus_[i].size())) {
            const Offset offset = processor.fold->next_offset();
            processor.fold->apply(bus_[i][static_cast<std::size_t>(offset)].view(offset), out);
        }
        take(static_cast<Partition>(i), out);
        if (processor.fold->partition_time() - processor.checkpointed_at >= checkpoint_interval) {
            checkpoint(processor);
        }
    }
}

void SimSystem::checkpoint(Processor& processor) {
    processor.checkpointed_at = processor.fold->partition_time();
    processor.disk = processor.fold->snapshot();
    if (processor.checkpoints++ % 3 == 0) {
        processor.on_bus = processor.disk;
    }
}

void SimSystem::take(Partition partition, const FoldOutput& out) {
    for (const Sample& sample : out.samples) {
        for (const auto& [metric, value] : sample.metrics) {
            samples_.insert(static_cast<std::uint64_t>(value));
        }
    }
    judge_documents(out);
    for (const RegionReport& report : out.regions) {
        reported_[static_cast<std::size_t>(partition)][report.region] = report.counts;
        alerts_.on_report(report);
    }
    if (!alerts_.wrong().empty()) {
        complain(alerts_.wrong());
    }
}

// The judge -----------------------------------------------------------------------------------------------------------

/// What is said again has been said before, to the byte, and what is new goes on from the last.
void SimSystem::judge_documents(const FoldOutput& out) {
    for (const StatusDocument& document : out.documents) {
        auto& known = documents_[document.id];
        const auto again = known.find(document.offset);
        if (again != known.end()) {
            if (to_json(again->second) != to_json(document)) {
                complain("said again, and otherwise: " + to_json(document));
            }
            continue;
        }
        const PresenceState before = known.empty() ? PresenceState::never_seen : known.rbegin()->second.state;
        if (!known.empty() && known.rbegin()->first > document.offset) {
            complain("said too late: " + to_json(document));
        } else if (document.previous != before) {
            complain("does not follow from the one before: " + to_json(document));
        }
        known.emplace(document.offset, document);
    }
    for (const StatusDocument& document : out.documents) {
        (void)status_.apply(document, devices_max);
        alerts_.on_document(document);
    }
}

SimSystem::Truth SimSystem::truth_of(const Device& device) const {
    return device.alive ? PresenceState::online : PresenceState::offline;
}

PresenceState SimSystem::shown(const Device& device) const {
    const auto status = status_.get(device.id);
    return status ? status->document.state : PresenceState::never_seen;
}

/// Tight while nothing has ever failed; after a failure, what the gateways' grace and the timeouts allow.
void SimSystem::judge_bounds() {
    const FoldOptions options = sim_fold_options(0);
    const std::int64_t path_ms = scenario_.lag_ms_max + process_slack_ms + step_ms;
    const std::int64_t silence_ms = options.heartbeat_timeout.count() + speak_interval_ms + 2 * tick_ms;
    const std::int64_t failure_ms =
        2 * (options.gateways.lost_after.count() + options.gateways.grace.count()) + 4 * tick_ms + silence_ms;
    for (const Device& device : devices_) {
        if (device.last_epoch == 0) {
            continue;
        }
        const std::int64_t changed_ms = std::max(device.truth_since_ms, calm_since_ms_);
        const std::int64_t bound_ms = calm_since_ms_ >= 0 ? failure_ms + 2 * path_ms
                                      : device.alive      ? path_ms
                                      : device.frozen     ? silence_ms + path_ms + tick_ms
                                                          : notice_ms_max + path_ms;
        if (now_ms_ - changed_ms <= bound_ms || failing_) {
            continue;
        }
        const PresenceState state = shown(device);
        if (state == PresenceState::never_seen && !device.alive) {
            continue;  // all that it ever said was lost with its gateway
        }
        if (state != truth_of(device)) {
            complain(fmt::format("{} is {} since {} ms and shown {}", device.id, name_of(truth_of(device)),
                                 device.truth_since_ms, name_of(state)));
        }
    }
}

void SimSystem::judge_the_end() {
    judge_bounds();
    for (const std::uint64_t message : acknowledged_) {
        if (!samples_.contains(message)) {
            complain(fmt::format("acknowledged message {} is lost", message));
            return;
        }
    }
    for (const auto& [id, documents] : documents_) {
        const auto shown = status_.get(id);
        if (!shown || shown->document.offset != documents.rbegin()->first) {
            complain("the status store does not have the last word on " + id);
        }
    }
}

/// A processor that was never killed would have ended in the same state, to the byte.
void SimSystem::judge_replay() {
    for (std::size_t i = 0; i < processors_.size() && wrong_.empty(); ++i) {
        PartitionFold unkilled(sim_fold_options(static_cast<Partition>(i)));
        FoldOutput out;
        for (std::size_t offset = 0; offset < bus_[i].size(); ++offset) {
            unkilled.apply(bus_[i][offset].view(static_cast<Offset>(offset)), out);
            out.clear();
        }
        if (processors_[i].fold == nullptr || processors_[i].fold->snapshot() != unkilled.snapshot()) {
            complain(fmt::format("the processor of partition {} is not what an unkilled one would be", i));
        }
    }
}

void SimSystem::judge_regions() {
    std::map<std::string, RegionCounts> reported;
    for (const auto& partition : reported_) {
        for (const auto& [region, counts] : partition) {
            reported[region] += counts;
        }
    }
    std::map<std::string, RegionCounts> recounted;
    for (const auto& [region, counts] : reported) {
        recounted[region] = {};
    }
    for (const auto& [id, documents] : documents_) {
        const StatusDocument& last = documents.rbegin()->second;
        for_each_region_of(last.attributes.region,
                           [&](std::string_view region) { recounted[std::string(region)] += contribution_of(last); });
    }
    if (reported != recounted) {
        complain("the regions' counts are not those of a recount");
    }
}

SimSchedule shortest(std::uint64_t seed, const SimScenario& scenario, SimSchedule schedule, int runs_max) {
    std::size_t part = std::max<std::size_t>(1, schedule.size() / 2);
    while (runs_max > 0) {
        bool shorter = false;
        for (std::size_t at = 0; at < schedule.size() && runs_max > 0;) {
            SimSchedule without = schedule;
            const auto first = without.begin() + static_cast<std::ptrdiff_t>(at);
            without.erase(first, first + static_cast<std::ptrdiff_t>(std::min(part, schedule.size() - at)));
            --runs_max;
            if (SimSystem(seed, scenario).run(without).empty()) {
                at += part;
            } else {
                schedule = std::move(without);
                shorter = true;
            }
        }
        if (part == 1 && !shorter) {
            break;
        }
        part = std::max<std::size_t>(1, part / 2);
    }
    return schedule;
}

}  // namespace muster::sim
