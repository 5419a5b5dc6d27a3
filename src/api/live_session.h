#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "api/http_server.h"
#include "api/live_outbox.h"

namespace muster {

class LiveStream;

/// One WebSocket of /api/v1/live: its subscriptions and what waits to be sent. Owned by its connection and, while it is
/// open, by the stream, which must outlive it. Any thread.
class LiveSession final : public WebSocketSession, public std::enable_shared_from_this<LiveSession> {
 public:
    explicit LiveSession(LiveStream& stream) : stream_(stream) {}

    void on_open(std::function<void()> wake) override;
    void on_message(std::string_view text) override;
    Frame next_frame() override;
    void on_close() override;

    [[nodiscard]] bool follows(LiveTopic topic) const { return follows_[static_cast<std::size_t>(topic)]; }
    /// For the stream: queue a frame, if the session still follows what it is of, and wake the connection. Returns how
    /// many frames gave way.
    std::size_t offer(LiveTopic topic, Frame frame);
    std::size_t offer_device(const std::string& id, Frame frame);
    /// The devices followed, taken away: the session has ended.
    [[nodiscard]] std::set<std::string> take_devices();

 private:
    void subscribe(std::string_view name);
    void subscribe_device(const std::string& id);
    void unsubscribe(std::string_view name);
    void send_control(std::string text);
    void send_error(std::string_view detail);

    LiveStream& stream_;
    std::array<std::atomic<bool>, live_topic_count> follows_{};
    std::mutex mutex_;
    LiveOutbox outbox_;              // under mutex_
    std::set<std::string> devices_;  // under mutex_, at most LiveOutbox::devices_max
    std::function<void()> wake_;     // set once, in on_open, before the stream knows the session
};

}  // namespace muster
