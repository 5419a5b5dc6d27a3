#include "will_watcher.h"

#include <array>

#include "base/thread.h"

namespace muster {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t input_bytes = std::size_t{256} << 10U;
constexpr std::chrono::milliseconds look_again{1};
constexpr std::chrono::seconds subscribe_patience{10};

std::int64_t nanoseconds_now() {
    return std::chrono::nanoseconds(SteadyClock::now().time_since_epoch()).count();
}

}  // namespace

Result<std::unique_ptr<WillWatcher>> WillWatcher::start(const LoadOptions& options) {
    auto broker = net::Address::parse(options.broker);
    if (!broker) {
        return tl::unexpected(broker.error());
    }
    auto reactor = net::Reactor::create();
    if (!reactor) {
        return tl::unexpected(reactor.error());
    }
    std::unique_ptr<WillWatcher> watcher(new WillWatcher(std::move(*reactor), options));
    auto socket = net::TcpSocket::connect(*broker);
    if (!socket) {
        return tl::unexpected(socket.error());
    }
    watcher->socket_ = std::move(*socket);
    const auto watched = watcher->reactor_->add(watcher->socket_.fd(), *watcher,
                                                net::io_readable | net::io_writable | net::io_peer_ended);
    if (!watched) {
        return tl::unexpected(watched.error());
    }
    const auto end = SteadyClock::now() + subscribe_patience;
    while (!watcher->subscribed_ && !watcher->refused_ && SteadyClock::now() < end) {
        watcher->reactor_->run_once(Millis(10));
    }
    if (!watcher->subscribed_) {
        return fail(watcher->refused_ ? ErrorCode::forbidden : ErrorCode::timed_out, "cannot subscribe to the wills");
    }
    watcher->thread_ = start_thread("will-watcher", [raw = watcher.get()] { raw->reactor_->run(); });
    return watcher;
}

WillWatcher::WillWatcher(std::unique_ptr<net::Reactor> reactor, const LoadOptions& options)
    : reactor_(std::move(reactor)), options_(options), input_(input_bytes) {}

WillWatcher::~WillWatcher() {
    if (thread_.joinable()) {
        reactor_->stop();
        thread_.join();
    }
}

void WillWatcher::wait_for(std::uint64_t wills, Millis patience) const {
    std::int64_t quiet_since_ns = nanoseconds_now();
    while (wills_.load() < wills && nanoseconds_now() - quiet_since_ns < std::chrono::nanoseconds(patience).count()) {
        std::this_thread::sleep_for(look_again);
        quiet_since_ns = std::max(quiet_since_ns, last_will_ns_.load());
    }
}

void WillWatcher::on_io(std::uint32_t /*events*/) {
    if (!begun_) {
        begun_ = true;
        mqtt::Connect connect;
        connect.client_id = "will-watcher";
        connect.user_name = options_.watch_user;
        connect.password = options_.watch_password;
        protocol_.connect(connect, reactor_->monotonic(), out_);
    }
    while (const auto got = socket_.read(input_)) {
        protocol_.receive(std::string_view(input_.data(), *got), reactor_->monotonic(), out_, *this);
    }
    write_all();
}

void WillWatcher::write_all() {
    // A few hundred bytes in all: they fit the socket's buffer.
    if (!out_.empty() && !socket_.write(out_)) {
        refused_ = true;
    }
    out_.clear();
}

void WillWatcher::on_connack(const mqtt::Connack& connack) {
    const std::array<mqtt::SubscribeEntry, 1> filters{mqtt::SubscribeEntry{.filter = "status/+", .options = {}}};
    refused_ = mqtt::is_error(connack.reason) || !protocol_.subscribe(filters, reactor_->monotonic(), out_);
}

void WillWatcher::on_suback(const mqtt::Suback& suback) {
    subscribed_ = !mqtt::is_error(static_cast<mqtt::ReasonCode>(suback.reasons.front()));
    refused_ = !subscribed_;
}

void WillWatcher::on_publish(const mqtt::Publish& publish) {
    if (!publish.retain && publish.payload == "OFFLINE") {
        last_will_ns_.store(nanoseconds_now());
        wills_.fetch_add(1);
    }
}

}  // namespace muster
