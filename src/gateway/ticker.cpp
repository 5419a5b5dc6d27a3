#include "gateway/ticker.h"

#include "gateway/worker.h"

namespace muster {

void Ticker::start() {
    begin_round();
    net::Reactor& reactor = context_.workers[0]->reactor();
    reactor.timers().arm(*this, reactor.monotonic() + context_.options.tick_interval);
}

void Ticker::stop() {
    context_.workers[0]->reactor().timers().disarm(*this);
}

void Ticker::on_timer() {
    begin_round();
    net::Reactor& reactor = context_.workers[0]->reactor();
    // From the deadline and not from now: ticks do not drift. After a pause there is one tick, not a burst.
    reactor.timers().arm(*this, std::max(deadline() + context_.options.tick_interval, reactor.monotonic()));
}

void Ticker::begin_round() {
    Worker& first = *context_.workers[0];
    // While a tick cannot go, a further one says nothing more.
    if (round_under_way_ || first.uplink().kept_records() > 0) {
        return;
    }
    round_under_way_ = true;
    const Timestamp time = first.reactor().now();
    auto to_come = std::make_shared<std::atomic<std::size_t>>(context_.workers.size());
    for (Worker* worker : context_.workers) {
        worker->post([this, worker, &first, to_come, time] {
            worker->uplink().flush();
            if (to_come->fetch_sub(1) == 1) {
                first.post([this, time] { tick(time); });
            }
        });
    }
}

void Ticker::tick(Timestamp time) {
    round_under_way_ = false;
    Worker& first = *context_.workers[0];
    UplinkRecord record{.topic = context_.topics.events, .key = {}, .value = {}, .header = {}};
    record.header.kind = EventKind::tick;
    record.header.sequence = ++sequence_;
    record.header.received = time;
    record.header.incarnation = context_.incarnation;
    record.header.gateway = context_.options.name;
    for (Partition partition = 0; partition < partitions_; ++partition) {
        record.partition = partition;
        first.uplink().send_control(record);
    }
    first.count_tick();
}

}  // namespace muster
