#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bus/bus.h"

namespace muster {

/// Disk for muster.events, from which a processor replays, where nothing else is asked for.
inline constexpr std::uint64_t events_bytes_max_default = 4ULL << 30U;

/// How each of Muster's topics is kept (DESIGN 3.2). Every role opens its topics by these, so that whoever comes first
/// makes them right.
[[nodiscard]] TopicSpec standard_topic(std::string_view name);
[[nodiscard]] std::vector<TopicSpec> standard_topics(std::uint64_t events_bytes_max);

}  // namespace muster
