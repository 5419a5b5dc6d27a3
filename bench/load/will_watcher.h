#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"
#include "load_fleet.h"
#include "mqtt/client_connection.h"
#include "net/reactor.h"
#include "net/tcp_socket.h"

namespace muster {

/// The client that is to hear of every death: subscribes to status/+ and counts what comes, on a thread of its own, so
/// that it reads while the connections are still being broken.
class WillWatcher final : net::IoHandler, mqtt::ClientListener {
 public:
    /// Returns once it is subscribed. timed_out: the broker does not answer; forbidden: it refuses.
    [[nodiscard]] static Result<std::unique_ptr<WillWatcher>> start(const LoadOptions& options);
    ~WillWatcher() override;

    /// Until there are so many wills, or none has come for `patience`.
    void wait_for(std::uint64_t wills, Millis patience) const;
    [[nodiscard]] std::uint64_t wills() const { return wills_.load(); }
    [[nodiscard]] std::chrono::steady_clock::time_point last_will() const {
        return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(last_will_ns_.load()));
    }

 private:
    WillWatcher(std::unique_ptr<net::Reactor> reactor, const LoadOptions& options);
    void on_io(std::uint32_t events) override;
    void on_connack(const mqtt::Connack& connack) override;
    void on_publish(const mqtt::Publish& publish) override;
    void on_ack(const mqtt::Ack&) override {}
    void on_suback(const mqtt::Suback& suback) override;
    void on_unsuback(const mqtt::Unsuback&) override {}
    void on_disconnect(const mqtt::Disconnect&) override {}
    void on_error(const mqtt::ProtocolError&) override {}
    void write_all();

    const std::unique_ptr<net::Reactor> reactor_;
    const LoadOptions& options_;
    const mqtt::ClientLimits limits_{};
    mqtt::ClientConnection protocol_{limits_};
    net::TcpSocket socket_;
    std::string out_;
    std::vector<char> input_;
    bool begun_ = false;
    bool refused_ = false;
    bool subscribed_ = false;
    std::atomic<std::uint64_t> wills_{0};
    std::atomic<std::int64_t> last_will_ns_{0};
    std::thread thread_;
};

}  // namespace muster
