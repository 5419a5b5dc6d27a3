#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "bus/bus.h"
#include "gateway/gateway_context.h"
#include "net/timer_wheel.h"

namespace muster {

/// Puts a tick on every partition of muster.events once a second (G4). A tick of time t goes out only when every worker
/// has handed to the bus all that it had read before t, so that a partition's time never passes records that are
/// already here; a worker that hangs holds the ticks back, and its devices are not taken for silent. Runs on worker 0.
class Ticker final : public net::Timer {
 public:
    Ticker(GatewayContext& context, Partition partitions) : context_(context), partitions_(partitions) {}
    /// On worker 0's thread, as stop().
    void start();
    void stop();

 private:
    void on_timer() override;
    void begin_round();
    void tick(Timestamp time);

    GatewayContext& context_;
    const Partition partitions_;
    std::uint64_t sequence_ = 0;
    bool round_under_way_ = false;
};

}  // namespace muster
