#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "bus/bus.h"
#include "gateway/gateway_context.h"
#include "net/timer_wheel.h"

namespace muster {

/// Puts a tick on every partition of muster.events once a second (G4). A tick of time t goes out only when every worker
/// has handed to the bus all that it had read before t, so that a partition's time never passes records that are
/// already here; a worker that hangs holds the ticks back, and its devices are not taken for silent. While a tick is
/// not yet durable no further one goes out: time in which the bus takes nothing is not seen by anyone. Runs on
/// worker 0.
class Ticker final : public net::Timer {
 public:
    Ticker(GatewayContext& context, Partition partitions, std::unique_ptr<Producer> producer)
        : context_(context), partitions_(partitions), producer_(std::move(producer)) {}
    /// On worker 0's thread, as stop().
    void start();
    void stop();

 private:
    /// One question to all workers whether everything read has gone to the bus.
    struct Round;

    void on_timer() override;
    void begin_round();
    void end_round(const Round& round);
    void tick(Timestamp time);
    /// Whether the last ticks are durable, or have failed.
    [[nodiscard]] bool is_settled();

    GatewayContext& context_;
    const Partition partitions_;
    std::unique_ptr<Producer> producer_;
    std::uint64_t sequence_ = 0;
    Partition unsettled_ = 0;  ///< ticks on their way
    bool round_under_way_ = false;
};

}  // namespace muster
