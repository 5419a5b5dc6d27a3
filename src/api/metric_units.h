#pragma once

#include <string_view>

namespace muster {

/// The unit to show for a metric, by its name or the name's ending ("battery" → "%", "supply_v" → "V"); "" when
/// unknown.
[[nodiscard]] std::string_view unit_of(std::string_view metric);

}  // namespace muster
