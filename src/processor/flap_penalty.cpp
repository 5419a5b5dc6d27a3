#include "processor/flap_penalty.h"

#include <algorithm>
#include <cmath>

namespace muster {
namespace {

constexpr double half_life_ms = 15 * 60 * 1000;
constexpr std::uint32_t cap_tenths = FlapPenalty::release_tenths << 4U;  // 60 min are 4 half-lives

}  // namespace

void FlapPenalty::decay_to(std::int64_t now_ms) {
    if (tenths != 0 && now_ms > at_ms) {
        const double halves = static_cast<double>(now_ms - at_ms) / half_life_ms;
        tenths = static_cast<std::uint32_t>(std::lround(static_cast<double>(tenths) * std::exp2(-halves)));
    }
    at_ms = std::max(at_ms, now_ms);
}

void FlapPenalty::add(std::uint32_t more_tenths, std::int64_t now_ms) {
    decay_to(now_ms);
    tenths = std::min(tenths + more_tenths, cap_tenths);
}

std::int64_t FlapPenalty::released_at_ms() const {
    if (tenths <= release_tenths) {
        return at_ms;
    }
    const double halves = std::log2(static_cast<double>(tenths) / static_cast<double>(release_tenths));
    return at_ms + static_cast<std::int64_t>(std::ceil(halves * half_life_ms));
}

double FlapPenalty::value_at(std::int64_t now_ms) const {
    FlapPenalty decayed = *this;
    decayed.decay_to(now_ms);
    return static_cast<double>(decayed.tenths) / 10.0;
}

}  // namespace muster
