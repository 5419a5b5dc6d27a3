#pragma once

#include "base/time.h"

namespace muster {

/// From 1970 to 9999: beyond it the arithmetic of days would overflow.
[[nodiscard]] constexpr bool is_storable(Timestamp time) {
    return time >= Timestamp{} && time < Timestamp(std::chrono::sys_days(std::chrono::year(9999) / 12 / 31));
}

}  // namespace muster
