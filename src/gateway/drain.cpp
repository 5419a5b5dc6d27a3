#include "gateway/drain.h"

#include <utility>

namespace muster {
namespace {

constexpr Millis drain_interval{100};

}  // namespace

Drain::Drain(net::Reactor& reactor, ConnectionTable& connections, Tally& tally, DrainOrder order, double per_s)
    : reactor_(reactor), connections_(connections), tally_(tally), order_(std::move(order)), per_s_(per_s) {
    arm();
}

void Drain::arm() {
    reactor_.timers().arm(*this, reactor_.monotonic() + drain_interval);
}

mqtt::ReasonCode Drain::reason() const {
    return order_.moved ? mqtt::ReasonCode::server_moved : mqtt::ReasonCode::use_another_server;
}

void Drain::on_timer() {
    due_ += per_s_ * std::chrono::duration<double>(drain_interval).count();
    while (due_ >= 1) {
        Connection* connection = connections_.next(slot_);
        if (connection == nullptr) {
            slot_ = 0;
            due_ = 0;  // who comes late is found in the next round
            break;
        }
        if (connection->session != nullptr && !connection->is_ending()) {
            connection->send_away(Cause::server_shutdown, reason(), order_.server_reference);
            tally_.drained.add();
            due_ -= 1;
        }
    }
    arm();
}

}  // namespace muster
