#include "gateway/acceptor.h"

#include "gateway/listener.h"
#include "gateway/worker.h"

namespace muster {
namespace {

constexpr Millis accept_retry{100};

}  // namespace

Acceptor::Acceptor(Worker& worker, GatewayContext& context, Tally& tally, std::size_t number, net::TcpListener socket)
    : worker_(worker),
      context_(context),
      tally_(tally),
      listener_(*context.listeners[number]),
      number_(static_cast<std::uint8_t>(number)),
      socket_(std::move(socket)) {}

void Acceptor::start() {
    if (const auto watched = worker_.reactor().add(socket_.fd(), *this, net::io_readable); !watched) {
        spdlog::error("gateway: {}", watched.error().message());
    }
}

void Acceptor::stop() {
    stopped_ = true;
    worker_.reactor().remove(socket_.fd());
    worker_.reactor().timers().disarm(*this);
}

void Acceptor::on_io(std::uint32_t) {
    accept_all();
}

void Acceptor::on_timer() {
    accept_all();
}

// Handshakes that wait are no reason to take in more of them: the kernel's queue is bounded, and so is ours.
bool Acceptor::must_wait() const {
    return listener_.options().has_tls() &&
           worker_.handshakes_waiting() >= context_.options.limits.handshakes_waiting_max;
}

void Acceptor::wait_a_while() {
    worker_.reactor().timers().arm(*this, worker_.reactor().monotonic() + accept_retry);
}

void Acceptor::accept_all() {
    if (stopped_) {
        return;
    }
    for (std::size_t i = 0; i < context_.options.limits.accepts_per_turn; ++i) {
        if (must_wait()) {
            wait_a_while();
            return;
        }
        net::Address peer;
        Result<net::TcpSocket> accepted = socket_.accept(peer);
        if (accepted) {
            accept_one(std::move(*accepted), peer);
            continue;
        }
        if (accepted.error().code == ErrorCode::would_block) {
            return;
        }
        tally_.accepts_refused.add();
        std::uint64_t swallowed = 0;
        if (accepted.error().code != ErrorCode::closed && log_.allow(worker_.reactor().monotonic(), swallowed)) {
            spdlog::warn("gateway: {} ({} more since the last time)", accepted.error().message(), swallowed);
        }
        if (accepted.error().code == ErrorCode::io) {
            wait_a_while();
            return;
        }
    }
    worker_.post([this] { accept_all(); });  // the rest in the next turn: those who are served are served in between
}

void Acceptor::accept_one(net::TcpSocket socket, const net::Address& peer) {
    if (context_.connections.load(std::memory_order_relaxed) >= context_.options.limits.connections_max ||
        listener_.connections.load(std::memory_order_relaxed) >= listener_.options().connections_max) {
        tally_.accepts_refused.add();
        return;
    }
    if (listener_.options().has_proxy_header && !listener_.trusts_proxy(peer)) {
        worker_.count_transport_failure(TransportFailure::proxy_untrusted);
        return;
    }
    // A load balancer speaks for many: its client's address counts, once it has told it.
    const AddressGate::Verdict verdict = listener_.options().has_proxy_header
                                             ? AddressGate::Verdict::unlimited
                                             : context_.addresses.enter(peer, worker_.reactor().monotonic());
    if (verdict == AddressGate::Verdict::too_fast || verdict == AddressGate::Verdict::too_many) {
        tally_.address_refusals.add();
        return;
    }
    tally_.accepts.add();
    context_.connections.fetch_add(1, std::memory_order_relaxed);
    listener_.connections.fetch_add(1, std::memory_order_relaxed);
    auto connection = std::make_unique<Connection>(
        std::move(socket), listener_.has_transport() ? std::make_unique<Transport>(listener_) : nullptr, number_,
        context_.options.limits.connection, worker_.reactor().monotonic());
    if (verdict == AddressGate::Verdict::admitted) {
        connection->client_limits = std::make_unique<ClientLimits>();
        connection->client_limits->stranger_of = peer;
    }
    worker_.take_in(std::move(connection));
}

}  // namespace muster
