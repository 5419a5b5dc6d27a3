#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/time.h"
#include "bus/bus.h"
#include "gateway/gateway_context.h"
#include "net/timer_wheel.h"

namespace muster {

/// Announces on muster.routes what this gateway has subscribers for: after a change, all changes of
/// routes_look_interval in one record, and again every routes_refresh_interval; large ones at most at
/// routes_bytes_per_ms. Runs on worker 0; the figures are for any thread.
class RoutesAnnouncer final : public net::Timer {
 public:
    RoutesAnnouncer(GatewayContext& context, std::unique_ptr<Producer> producer)
        : context_(context), producer_(std::move(producer)) {}
    /// On worker 0's thread, as stop().
    void start();
    /// Takes the announcement back; returns when that is durable, or stop_timeout has passed.
    void stop();

    [[nodiscard]] std::uint64_t announced() const { return announced_.load(std::memory_order_relaxed); }
    /// Groups of this gateway that the last announcement had no room for: they are shared by its sessions alone.
    [[nodiscard]] std::size_t groups_omitted() const { return groups_omitted_.load(std::memory_order_relaxed); }

 private:
    void on_timer() override;
    void announce(Millis now);
    void send(std::string_view json);
    [[nodiscard]] std::string text();

    GatewayContext& context_;
    std::unique_ptr<Producer> producer_;
    std::uint64_t changes_ = ~std::uint64_t{0};  ///< of the index, up to the last announcement
    Millis last_{0};
    Millis not_before_{0};
    std::atomic<std::uint64_t> announced_{0};
    std::atomic<std::size_t> groups_omitted_{0};
};

}  // namespace muster
