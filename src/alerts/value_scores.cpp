#include "alerts/value_scores.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <vector>

namespace muster {
namespace {

constexpr std::size_t evicted_part = 16;           // of the states go at once: looking for them takes a pass over all
constexpr std::int64_t room_interval_ms = 60'000;  // between two such passes

std::uint32_t seconds_of(std::int64_t elapsed_ms) {
    return static_cast<std::uint32_t>(elapsed_ms / 1000);
}

}  // namespace

ValueScores::Key ValueScores::key_of(const DeviceValue& value) {
    const std::hash<std::string_view> hash;
    return hash(value.device) * 0x9e3779b97f4a7c15ULL ^ hash(value.metric);
}

template <class State>
void ValueScores::make_room(Table<State>& table, std::int64_t elapsed_ms) {
    if (table.made_room_ms && elapsed_ms - *table.made_room_ms < room_interval_ms) {
        return;
    }
    table.made_room_ms = elapsed_ms;
    std::vector<std::uint32_t> heard;
    heard.reserve(table.size);
    for (const auto& part : table.states) {
        for (const auto& [key, state] : part) {
            heard.push_back(state.heard_s());
        }
    }
    const auto last = heard.begin() + static_cast<std::ptrdiff_t>((heard.size() - 1) / evicted_part);
    std::nth_element(heard.begin(), last, heard.end());
    const std::int64_t oldest_kept_ms =
        std::min<std::int64_t>(std::int64_t{*last} * 1000, elapsed_ms - silent_min.count());
    for (auto& part : table.states) {
        const std::size_t evicted = std::erase_if(
            part, [&](const auto& item) { return std::int64_t{item.second.heard_s()} * 1000 <= oldest_kept_ms; });
        table.size -= evicted;
        evicted_ += evicted;
    }
}

template <class State>
State* ValueScores::state_of(Table<State>& table, const DeviceValue& value) {
    const Key key = key_of(value);
    auto& part = table.states[part_of(key)];
    if (const auto found = part.find(key); found != part.end()) {
        return &found->second;
    }
    if (table.size >= table.bound) {
        make_room(table, value.elapsed_ms);
    }
    if (table.size >= table.bound) {
        ++refused_;
        return nullptr;
    }
    ++table.size;
    return &part[key];
}

std::optional<MetricBaseline::Score> ValueScores::take(const DeviceValue& value) {
    MetricBaseline* const baseline = state_of(baselines_, value);
    if (baseline == nullptr) {
        return std::nullopt;
    }
    baseline->set_heard_s(seconds_of(value.elapsed_ms));
    return baseline->take(value.value);
}

std::optional<double> ValueScores::take_battery(const DeviceValue& value) {
    Battery* const battery = state_of(batteries_, value);
    if (battery == nullptr) {
        return std::nullopt;
    }
    battery->heard = seconds_of(value.elapsed_ms);
    if (battery->forecast.take(value.value, value.time)) {
        battery->estimate();
    }
    return battery->is_known ? std::optional<double>(battery->days) : std::nullopt;
}

void ValueScores::Battery::estimate() {
    const auto estimate = forecast.estimate();
    const bool charging = forecast.is_charging();
    is_known = estimate || charging;
    days = charging ? std::numeric_limits<float>::infinity() : static_cast<float>(estimate ? estimate->days : 0.0);
}

bool ValueScores::Battery::decode(ByteReader& in) {
    if (!forecast.decode(in)) {
        return false;
    }
    estimate();
    return true;
}

void ValueScores::clear() {
    for (auto& part : baselines_.states) {
        part.clear();
    }
    for (auto& part : batteries_.states) {
        part.clear();
    }
    baselines_.size = batteries_.size = 0;
}

std::size_t ValueScores::encode_part(std::uint32_t part, ByteWriter& out) const {
    const auto write = [&](const auto& states) {
        out.number(static_cast<std::uint32_t>(states.size()));
        for (const auto& [key, state] : states) {
            out.number(key);
            state.encode(out);
        }
        return states.size();
    };
    return write(baselines_.states[part]) + write(batteries_.states[part]);
}

Result<void> ValueScores::decode_part(std::uint32_t part, ByteReader& in, Millis gap) {
    // A forecast knows the times of its points, and bears any gap.
    if (!decode_states(baselines_, part, in, gap <= gap_max) || !decode_states(batteries_, part, in, true)) {
        return fail(ErrorCode::corrupt, "what was learnt of devices cannot be read");
    }
    return {};
}

/// When they were heard is not written: those that are never heard again are the first to go.
template <class State>
bool ValueScores::decode_states(Table<State>& table, std::uint32_t part, ByteReader& in, bool is_of_use) {
    const auto count = in.number<std::uint32_t>();
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto key = in.number<Key>();
        State state;
        if (!state.decode(in) || part_of(key) != part) {
            return false;
        }
        if (is_of_use && table.size < table.bound && table.states[part].emplace(key, state).second) {
            ++table.size;
        }
    }
    return in.ok();
}

}  // namespace muster
