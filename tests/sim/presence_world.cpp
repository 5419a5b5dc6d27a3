#include "presence_world.h"

#include <algorithm>

#include <fmt/format.h>

namespace muster::sim {
namespace {

constexpr std::int64_t start_ms = 1'700'000'000'000;
constexpr std::int64_t notice_delay_ms_max = 4000;

std::string_view name_of_kind(EventKind kind) {
    switch (kind) {
        case EventKind::telemetry:
            return "telemetry";
        case EventKind::connect:
            return "connect";
        case EventKind::disconnect:
            return "disconnect";
        case EventKind::will:
            return "will";
        case EventKind::tick:
            return "tick";
        case EventKind::ping:
            return "ping";
        default:
            return "other";
    }
}

}  // namespace

EventRecord WrittenRecord::view(std::string_view gateway_name, std::int64_t offset) const {
    EventRecord record{header, device, value, offset};
    record.header.gateway = gateway_name;
    return record;
}

std::string WrittenRecord::text() const {
    return fmt::format("{:>6} ms {} #{} {:<10} {:<3} epoch {} cause {} received {}", appended_ms,
                       gateway_names[static_cast<std::size_t>(gateway)], header.incarnation, name_of_kind(header.kind),
                       device, header.epoch, name_of(header.cause), to_epoch_ms(header.received) - start_ms);
}

PresenceWorld::PresenceWorld(std::uint64_t seed, WorldRules rules) : random_(seed), rules_(rules) {
    const auto count = 1 + random_.below(static_cast<std::uint64_t>(rules_.devices_max));
    for (std::uint64_t i = 0; i < count; ++i) {
        devices_.push_back({fmt::format("d{}", i), 0, {}});
    }
    for (Gateway& gateway : gateways_) {
        gateway.skew_ms = rules_.skew ? static_cast<std::int64_t>(random_.below(120'001)) - 60'000 : 0;
        gateway.next_tick_ms = static_cast<std::int64_t>(random_.below(1000));
    }
    run();
}

void PresenceWorld::run() {
    while (now_ms_ < rules_.chaos_ms) {
        step(true);
    }
    revive();
    while (now_ms_ < rules_.chaos_ms + rules_.settle_ms) {
        step(false);
    }
    order_records();
    for (const Device& device : devices_) {
        const bool heard_of = std::any_of(records_.begin(), records_.end(),
                                          [&](const WrittenRecord& record) { return record.device == device.id; });
        if (heard_of) {
            truth_[device.id] = device.session.alive;
        }
    }
}

void PresenceWorld::step(bool chaos) {
    now_ms_ += chaos ? 1 + static_cast<std::int64_t>(random_.below(400)) : 500;
    for (Gateway& gateway : gateways_) {
        if (gateway.back_at_ms != 0 && now_ms_ >= gateway.back_at_ms) {
            gateway.back_at_ms = 0;
            if (!gateway.alive) {
                ++gateway.incarnation;
                gateway.ticks = 0;
                gateway.last_append_ms = now_ms_;  // what the dead process had on its way may come after this
            }
            gateway.next_tick_ms = now_ms_;
            gateway.alive = true;
            gateway.suspended = false;
        }
    }
    deliver_notices();
    tick_gateways();
    if (chaos) {
        act();
    } else {
        std::for_each(devices_.begin(), devices_.end(), [&](Device& device) { speak(device); });
    }
}

void PresenceWorld::act() {
    if (rules_.losses && random_.chance(0.04)) {
        act_on(gateways_[random_.below(gateways)]);
        return;
    }
    act_on(devices_[random_.below(devices_.size())]);
}

void PresenceWorld::act_on(Device& device) {
    const double dice = random_.uniform();
    if (!device.session.alive || dice < 0.25) {
        connect(device);
    } else if (!rules_.ends || dice < 0.7) {
        speak(device);
    } else if (dice < 0.85) {
        disconnect(device);
    } else {
        lose_connection(device);
    }
}

void PresenceWorld::act_on(Gateway& gateway) {
    if (!gateway.alive || gateway.suspended) {
        return;
    }
    if (random_.chance(0.6)) {
        kill(gateway);
    } else {
        gateway.suspended = true;
    }
    gateway.back_at_ms = now_ms_ + 200 + static_cast<std::int64_t>(random_.below(8000));
}

void PresenceWorld::kill(Gateway& gateway) {
    gateway.alive = false;
    const auto index = static_cast<int>(&gateway - gateways_.data());
    for (Device& device : devices_) {
        if (device.session.gateway == index) {
            device.session.alive = false;
        }
    }
    // What the bus has not taken yet is lost with the process, or is on its way all the same.
    if (random_.chance(0.5)) {
        std::erase_if(records_, [&](const WrittenRecord& record) {
            return record.gateway == index && record.appended_ms > now_ms_;
        });
    }
}

/// Nothing is left lying down before the world settles: a suspended gateway goes on, a dead one mostly starts again.
void PresenceWorld::revive() {
    for (Gateway& gateway : gateways_) {
        const bool other_alive = gateways_[0].alive && gateways_[1].alive;
        if (gateway.suspended || (!gateway.alive && (other_alive || random_.chance(0.7)))) {
            gateway.back_at_ms = now_ms_;
        } else if (!gateway.alive) {
            gateway.back_at_ms = 0;
        }
    }
    if (std::none_of(gateways_.begin(), gateways_.end(),
                     [](const Gateway& gateway) { return gateway.alive || gateway.back_at_ms != 0; })) {
        gateways_[0].back_at_ms = now_ms_;
    }
}

bool PresenceWorld::holds(const Session& session) const {
    const Gateway& gateway = gateways_[static_cast<std::size_t>(session.gateway)];
    return session.epoch != 0 && gateway.alive && gateway.incarnation == session.incarnation;
}

void PresenceWorld::connect(Device& device) {
    const auto index = static_cast<int>(random_.below(gateways));
    const Gateway& gateway = gateways_[static_cast<std::size_t>(index)];
    if (!gateway.alive || gateway.suspended) {
        return;
    }
    const bool taken_over = device.session.alive;
    if (taken_over) {
        // The old gateway is told of the take-over, or finds a dead connection in its own time; with a will or without.
        const bool told = random_.chance(0.7);
        const Cause cause = told ? Cause::duplicate_client_id : Cause::keepalive_timeout;
        auto delay = static_cast<std::int64_t>(random_.below(notice_delay_ms_max));
        if (!told && !rules_.ends) {
            delay += rules_.lag_ms_max;  // no time-out is faster than the news of the new session
        }
        // Told before the new session's connect is written: at once, and first on its own gateway.
        const bool first = told && random_.chance(0.5);
        notices_.push_back({first ? now_ms_ : now_ms_ + delay, device.id, device.session, cause, random_.chance(0.5)});
        if (first || device.session.gateway == index) {
            notices_.back().at_ms = now_ms_;
            notices_.back().cause = Cause::duplicate_client_id;
            deliver_notices();
        }
    }
    device.session = {++device.last_epoch, index, gateway.incarnation, true};
    write(EventKind::connect, index, device.id, device.session.epoch, Cause::none, {});
}

void PresenceWorld::speak(Device& device) {
    if (device.session.alive) {
        write(random_.chance(0.7) ? EventKind::telemetry : EventKind::ping, device.session.gateway, device.id,
              device.session.epoch, Cause::none, R"({"battery":80})");
    }
}

void PresenceWorld::disconnect(Device& device) {
    device.session.alive = false;
    write(EventKind::disconnect, device.session.gateway, device.id, device.session.epoch, Cause::client_disconnect, {});
}

void PresenceWorld::lose_connection(Device& device) {
    device.session.alive = false;
    const bool broken = random_.chance(0.5);
    const auto delay = broken ? 0 : static_cast<std::int64_t>(random_.below(notice_delay_ms_max));
    notices_.push_back({now_ms_ + delay, device.id, device.session,
                        broken ? Cause::connection_lost : Cause::keepalive_timeout, random_.chance(0.5)});
}

void PresenceWorld::deliver_notices() {
    std::vector<Notice> due;
    std::erase_if(notices_, [&](const Notice& notice) {
        const Gateway& gateway = gateways_[static_cast<std::size_t>(notice.session.gateway)];
        const bool is_due = notice.at_ms <= now_ms_ && !gateway.suspended;
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

void PresenceWorld::tick_gateways() {
    for (int index = 0; index < gateways; ++index) {
        Gateway& gateway = gateways_[static_cast<std::size_t>(index)];
        if (!gateway.alive || gateway.suspended) {
            gateway.next_tick_ms = std::max(gateway.next_tick_ms, now_ms_);
            continue;
        }
        if (now_ms_ >= gateway.next_tick_ms) {
            gateway.next_tick_ms += 1000;
            write(EventKind::tick, index, {}, 0, Cause::none, {});
        }
    }
}

void PresenceWorld::write(EventKind kind, int index, const std::string& device, SessionEpoch epoch, Cause cause,
                          std::string value) {
    Gateway& gateway = gateways_[static_cast<std::size_t>(index)];
    WrittenRecord record;
    record.header.kind = kind;
    record.header.cause = cause;
    record.header.epoch = epoch;
    record.header.keep_alive_s = kind == EventKind::connect ? 2 : 0;
    record.header.incarnation = gateway.incarnation;
    record.header.sequence = kind == EventKind::tick ? ++gateway.ticks : 0;
    record.header.received = from_epoch_ms(start_ms + now_ms_ + gateway.skew_ms);
    record.gateway = index;
    record.device = device;
    record.value = std::move(value);
    const auto lag = static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(rules_.lag_ms_max) + 1));
    record.appended_ms = std::max(gateway.last_append_ms, now_ms_ + (random_.chance(0.3) ? lag : 0));
    gateway.last_append_ms = record.appended_ms;
    records_.push_back(std::move(record));
}

void PresenceWorld::order_records() {
    std::stable_sort(records_.begin(), records_.end(), [](const WrittenRecord& one, const WrittenRecord& other) {
        return one.appended_ms < other.appended_ms;
    });
}

}  // namespace muster::sim
