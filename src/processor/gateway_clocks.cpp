#include "processor/gateway_clocks.h"

#include <algorithm>

namespace muster {

std::int64_t GatewayClock::observed_at(Timestamp received, Incarnation of) const {
    if (!ticked || of != incarnation) {
        return observed_ms;
    }
    return observed_ms + std::clamp<std::int64_t>(to_epoch_ms(received) - ticked_at_ms, 0, observed_step_ms_max);
}

GatewayClocks::Slot GatewayClocks::find_or_add(std::uint32_t name, Incarnation incarnation) {
    if (const auto found = slot_of_name_.find(name); found != slot_of_name_.end()) {
        return found->second;
    }
    auto free = std::find(clocks_.begin(), clocks_.end(), nullptr);
    if (free == clocks_.end()) {
        if (clocks_.size() == gateways_max) {
            return none;
        }
        free = clocks_.insert(clocks_.end(), nullptr);
    }
    *free = std::make_unique<GatewayClock>();
    (*free)->name = name;
    (*free)->incarnation = incarnation;
    (*free)->base_ms = elapsed_ms_;
    const auto slot = static_cast<Slot>(free - clocks_.begin());
    for (const auto& clock : clocks_) {
        if (clock != nullptr) {
            clock->heard_at.resize(clocks_.size(), 0);
            clock->heard_at[slot] = 0;
        }
    }
    hear(slot);
    slot_of_name_.emplace(name, slot);
    return slot;
}

GatewayClocks::Tick GatewayClocks::on_tick(Slot slot, Incarnation incarnation, std::uint64_t sequence,
                                           Timestamp received) {
    GatewayClock& clock = at(slot);
    if (incarnation < clock.incarnation) {
        return Tick::stale;
    }
    const bool restarted = incarnation > clock.incarnation;
    if (!restarted && clock.ticked && sequence <= clock.sequence) {
        return Tick::repeated;
    }
    if (!restarted && clock.ticked) {
        clock.observed_ms +=
            std::clamp<std::int64_t>(to_epoch_ms(received) - clock.ticked_at_ms, 0, observed_step_ms_max);
    }
    clock.incarnation = incarnation;
    clock.sequence = sequence;
    clock.ticked_at_ms = to_epoch_ms(received);
    clock.ticked = true;
    on_heard(slot);
    advance_elapsed(clock, received);
    return restarted ? Tick::restarted : Tick::accepted;
}

void GatewayClocks::advance_elapsed(GatewayClock& clock, Timestamp received) {
    const std::int64_t before = elapsed_ms_;
    elapsed_ms_ = std::max(elapsed_ms_, clock.base_ms + clock.observed_ms);
    if (elapsed_ms_ - (clock.base_ms + clock.observed_ms) > observed_step_ms_max) {
        // It fell behind in time that only others saw; from here on it runs along, to take over when they go.
        clock.base_ms = elapsed_ms_ - clock.observed_ms;
    }
    partition_time_ = std::max(partition_time_ + Millis(elapsed_ms_ - before), received);
}

void GatewayClocks::hear(Slot slot) {
    GatewayClock& clock = at(slot);
    for (std::size_t other = 0; other < clocks_.size(); ++other) {
        if (clocks_[other] != nullptr) {
            clock.heard_at[other] = clocks_[other]->observed_ms;
        }
    }
}

void GatewayClocks::on_heard(Slot slot) {
    GatewayClock& clock = at(slot);
    clock.lost = false;
    clock.given_up = false;
    hear(slot);
}

GatewayClocks::Silence GatewayClocks::judge(Slot other, Slot slot, std::int64_t& silent_ms) {
    GatewayClock& clock = at(other);
    silent_ms = at(slot).observed_ms - clock.heard_at[slot];
    if (!clock.lost && silent_ms >= options_.lost_after.count()) {
        clock.lost = true;
        return Silence::lost;
    }
    if (clock.lost && !clock.given_up && silent_ms >= (options_.lost_after + options_.grace).count()) {
        clock.given_up = true;
        return Silence::given_up;
    }
    if (clock.given_up && silent_ms >= (options_.lost_after + options_.forget).count()) {
        forget(other);
    }
    return Silence::none;
}

void GatewayClocks::forget(Slot slot) {
    slot_of_name_.erase(clocks_[slot]->name);
    clocks_[slot] = nullptr;
}

void GatewayClocks::encode(ByteWriter& out) const {
    out.number(elapsed_ms_);
    out.number(to_epoch_ms(partition_time_));
    out.number(static_cast<std::uint16_t>(clocks_.size()));
    for (const auto& clock : clocks_) {
        out.number(static_cast<std::uint8_t>(clock != nullptr ? 1 : 0));
        if (clock == nullptr) {
            continue;
        }
        out.number(clock->name);
        out.number(clock->incarnation);
        out.number(clock->sequence);
        out.number(clock->observed_ms);
        out.number(clock->base_ms);
        out.number(clock->ticked_at_ms);
        out.number(static_cast<std::uint8_t>((clock->ticked ? 1U : 0U) | (clock->lost ? 2U : 0U) |
                                             (clock->given_up ? 4U : 0U)));
        for (std::size_t other = 0; other < clocks_.size(); ++other) {
            out.number(clocks_[other] == nullptr ? std::int64_t{0} : clock->heard_at[other]);
        }
    }
}

Result<void> GatewayClocks::decode(ByteReader& in) {
    elapsed_ms_ = in.number<std::int64_t>();
    partition_time_ = from_epoch_ms(in.number<std::int64_t>());
    const auto slots = in.number<std::uint16_t>();
    if (slots > gateways_max || elapsed_ms_ < 0) {
        return fail(ErrorCode::corrupt, "snapshot has too many gateways");
    }
    clocks_.clear();
    clocks_.resize(slots);
    slot_of_name_.clear();
    for (Slot slot = 0; slot < slots; ++slot) {
        if (in.number<std::uint8_t>() != 0) {
            if (auto decoded = decode_clock(in, slot); !decoded) {
                return decoded;
            }
        }
    }
    return {};
}

Result<void> GatewayClocks::decode_clock(ByteReader& in, Slot slot) {
    auto clock = std::make_unique<GatewayClock>();
    clock->name = in.number<std::uint32_t>();
    clock->incarnation = in.number<std::uint64_t>();
    clock->sequence = in.number<std::uint64_t>();
    clock->observed_ms = in.number<std::int64_t>();
    clock->base_ms = in.number<std::int64_t>();
    clock->ticked_at_ms = in.number<std::int64_t>();
    const auto flags = in.number<std::uint8_t>();
    clock->ticked = (flags & 1U) != 0;
    clock->lost = (flags & 2U) != 0;
    clock->given_up = (flags & 4U) != 0;
    clock->heard_at.reserve(clocks_.size());
    for (std::size_t other = 0; other < clocks_.size(); ++other) {
        clock->heard_at.push_back(in.number<std::int64_t>());
    }
    if (!in.ok() || clock->observed_ms < 0) {
        return fail(ErrorCode::corrupt, "snapshot has a gateway that cannot be");
    }
    clock->sessions = DeadlineWheel(clock->observed_ms);
    if (!slot_of_name_.emplace(clock->name, slot).second) {
        return fail(ErrorCode::corrupt, "snapshot has a gateway twice");
    }
    clocks_[slot] = std::move(clock);
    return {};
}

}  // namespace muster
