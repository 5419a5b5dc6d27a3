#pragma once

#include "base/time.h"

namespace muster::net {

/// The kernel's clocks: CLOCK_REALTIME and CLOCK_MONOTONIC. Any thread.
class SystemClock final : public Clock {
 public:
    [[nodiscard]] Timestamp now() const override;
    [[nodiscard]] Millis monotonic() const override;
};

}  // namespace muster::net
