#include "gateway/ticker.h"

#include <array>
#include <atomic>
#include <string>

#include "gateway/worker.h"

namespace muster {

struct Ticker::Round {
    Timestamp time;
    std::atomic<std::size_t> workers_to_come;
    std::atomic<bool> is_complete{true};  ///< nobody keeps records for which the bus has no room
};

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
    if (round_under_way_ || !is_settled()) {
        return;
    }
    round_under_way_ = true;
    Worker& first = *context_.workers[0];
    auto round = std::make_shared<Round>(first.reactor().now(), context_.workers.size());
    for (Worker* worker : context_.workers) {
        worker->post([this, worker, &first, round] {
            worker->uplink().flush();
            if (worker->uplink().kept_records() > 0) {
                round->is_complete = false;
            }
            if (round->workers_to_come.fetch_sub(1) == 1) {
                first.post([this, round] { end_round(*round); });
            }
        });
    }
}

void Ticker::end_round(const Round& round) {
    round_under_way_ = false;
    if (round.is_complete) {
        tick(round.time);
    }
}

void Ticker::tick(Timestamp time) {
    EventHeader header;
    header.kind = EventKind::tick;
    header.sequence = ++sequence_;
    header.received = time;
    header.incarnation = context_.incarnation;
    header.gateway = context_.options.name;
    std::string packed;
    encode(header, packed);
    const std::array<RecordHeader, 1> headers{RecordHeader{event_header_name, packed}};
    for (Partition partition = 0; partition < partitions_; ++partition) {
        const ProducerRecord record{.key = {}, .value = {}, .headers = headers, .time = time, .partition = partition};
        if (producer_->send(context_.topics.events, record, sequence_)) {
            ++unsettled_;
        }
    }
    producer_->flush();
    context_.workers[0]->count_tick();
}

bool Ticker::is_settled() {
    producer_->poll([this](const Delivery&) { --unsettled_; });
    return unsettled_ == 0;
}

}  // namespace muster
