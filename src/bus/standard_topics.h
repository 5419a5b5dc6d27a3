#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bus/bus.h"

namespace muster {

/// How each of Muster's topics is kept (DESIGN 3.2). Every role opens its topics by these, so that whoever comes first
/// makes them right. `events_bytes_max`: disk for muster.events, from which a processor replays.
[[nodiscard]] TopicSpec standard_topic(std::string_view name);
[[nodiscard]] std::vector<TopicSpec> standard_topics(std::uint64_t events_bytes_max);

}  // namespace muster
