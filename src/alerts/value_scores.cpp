#include "alerts/value_scores.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <vector>

namespace muster {
namespace {

constexpr std::size_t evicted_part = 16;           // of the states go at once: looking for them takes a pass over all
constexpr std::int64_t room_interval_ms = 60'000;  // between two such passes

std::uint64_t key_of(const DeviceValue& value) {
    const std::hash<std::string_view> hash;
    return hash(value.device) * 0x9e3779b97f4a7c15ULL ^ hash(value.metric);
}

std::uint32_t seconds_of(std::int64_t elapsed_ms) {
    return static_cast<std::uint32_t>(elapsed_ms / 1000);
}

}  // namespace

template <class State>
void ValueScores::make_room(std::unordered_map<Key, State>& states, std::int64_t elapsed_ms) {
    if (made_room_ms_ && elapsed_ms - *made_room_ms_ < room_interval_ms) {
        return;
    }
    made_room_ms_ = elapsed_ms;
    std::vector<std::uint32_t> heard;
    heard.reserve(states.size());
    for (const auto& [key, state] : states) {
        heard.push_back(state.heard_s());
    }
    const auto last = heard.begin() + static_cast<std::ptrdiff_t>((heard.size() - 1) / evicted_part);
    std::nth_element(heard.begin(), last, heard.end());
    const std::int64_t oldest_kept_ms =
        std::min<std::int64_t>(std::int64_t{*last} * 1000, elapsed_ms - silent_min.count());
    evicted_ += std::erase_if(
        states, [&](const auto& item) { return std::int64_t{item.second.heard_s()} * 1000 <= oldest_kept_ms; });
}

template <class State>
State* ValueScores::state_of(std::unordered_map<Key, State>& states, std::size_t bound, const DeviceValue& value) {
    const Key key = key_of(value);
    if (const auto found = states.find(key); found != states.end()) {
        return &found->second;
    }
    if (states.size() >= bound) {
        make_room(states, value.elapsed_ms);
    }
    if (states.size() >= bound) {
        ++refused_;
        return nullptr;
    }
    return &states[key];
}

std::optional<MetricBaseline::Score> ValueScores::take(const DeviceValue& value) {
    MetricBaseline* const baseline = state_of(baselines_, baselines_bound_, value);
    if (baseline == nullptr) {
        return std::nullopt;
    }
    baseline->set_heard_s(seconds_of(value.elapsed_ms));
    return baseline->take(value.value);
}

std::optional<double> ValueScores::take_battery(const DeviceValue& value) {
    Battery* const battery = state_of(batteries_, forecasts_bound_, value);
    if (battery == nullptr) {
        return std::nullopt;
    }
    battery->heard = seconds_of(value.elapsed_ms);
    if (battery->forecast.take(value.value, value.time)) {
        const auto estimate = battery->forecast.estimate();
        const bool charging = battery->forecast.is_charging();
        battery->is_known = estimate || charging;
        battery->days =
            charging ? std::numeric_limits<float>::infinity() : static_cast<float>(estimate ? estimate->days : 0.0);
    }
    return battery->is_known ? std::optional<double>(battery->days) : std::nullopt;
}

void ValueScores::clear() {
    baselines_.clear();
    batteries_.clear();
}

}  // namespace muster
