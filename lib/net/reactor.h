#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.h"
#include "base/time.h"
#include "net/timer_wheel.h"

namespace muster::net {

/// Receives the readiness of one file descriptor. Outlives its registration.
class IoHandler {
 public:
    virtual ~IoHandler() = default;
    /// `events`: io_* bits. May remove and delete this very handler; others in the same turn only through
    /// Reactor::defer.
    virtual void on_io(std::uint32_t events) = 0;
};

/// The bits of IoHandler::on_io and Reactor::add, as EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLERR and EPOLLHUP.
inline constexpr std::uint32_t io_readable = 0x001;
inline constexpr std::uint32_t io_writable = 0x004;
inline constexpr std::uint32_t io_error = 0x008;
inline constexpr std::uint32_t io_hang_up = 0x010;
inline constexpr std::uint32_t io_peer_ended = 0x2000;

/// One edge-triggered epoll set, one timer wheel, one thread: the thread that calls run(). Every method but post() and
/// stop() belongs to that thread (or is called before run()).
class Reactor {
 public:
    /// io: the kernel has no descriptor left.
    [[nodiscard]] static Result<std::unique_ptr<Reactor>> create();
    ~Reactor();
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;

    /// Turns until stop(). One turn: wait for events (at most until the next timer), handle them all, run due timers,
    /// posted tasks, deferred tasks, then the end-of-turn hooks. `pace`: least time between two turns, so that what
    /// arrived in it is handled in one go; 0 = none. A turn that the kernel could not tell all its events is followed
    /// at once.
    void run(Millis pace = Millis(0));
    /// One turn that waits at most `wait`: for tests and for embedding in a loop of one's own.
    void run_once(Millis wait);
    /// Makes run() return after the current turn, or at once when it is called before run(). Any thread, also a signal
    /// handler.
    void stop();

    /// Runs `task` in a coming turn. Any thread. Tasks posted after run() returned are destroyed unrun with the
    /// reactor.
    void post(std::function<void()> task);
    /// Runs `task` at the end of this turn, after the events.
    void defer(std::function<void()> task);
    /// Called at the end of every turn that handled anything (flush batches here).
    void at_turn_end(std::function<void()> hook);

    /// Registers a non-blocking descriptor edge-triggered with these io_* bits; io_error and io_hang_up are always
    /// told.
    [[nodiscard]] Result<void> add(int fd, IoHandler& handler, std::uint32_t events);
    [[nodiscard]] Result<void> modify(int fd, IoHandler& handler, std::uint32_t events);
    void remove(int fd);

    [[nodiscard]] TimerWheel& timers();
    /// CLOCK_MONOTONIC and CLOCK_REALTIME, read once a turn.
    [[nodiscard]] Millis monotonic() const;
    [[nodiscard]] Timestamp now() const;

 private:
    struct State;
    explicit Reactor(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace muster::net
