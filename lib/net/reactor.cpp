#include "net/reactor.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/assert.h"
#include "net/descriptor.h"
#include "net/system_clock.h"

namespace muster::net {
namespace {

using Task = std::function<void()>;
using Tasks = std::vector<Task>;

constexpr std::size_t events_per_turn = 512;
constexpr Millis longest_wait{60'000};

static_assert(io_readable == EPOLLIN && io_writable == EPOLLOUT && io_error == EPOLLERR && io_hang_up == EPOLLHUP &&
              io_peer_ended == EPOLLRDHUP);

std::size_t run_all(Tasks& tasks) {
    for (Task& task : tasks) {
        task();
    }
    return tasks.size();
}

}  // namespace

struct Reactor::State {
    SystemClock clock;
    Descriptor epoll;
    Descriptor wake_up;  ///< eventfd, registered with a null handler; never read: each write is an edge of its own
    TimerWheel timers{clock.monotonic()};
    Millis monotonic = clock.monotonic();
    Timestamp now = clock.now();
    std::chrono::steady_clock::time_point turn_began;
    bool backlogged = false;  ///< the last turn left events in the kernel
    std::array<epoll_event, events_per_turn> events;

    Tasks deferred;
    Tasks hooks;

    std::atomic<bool> stopping{false};
    std::mutex mutex;
    Tasks posted;                     ///< under mutex
    std::atomic<bool> asleep{false};  ///< nobody has woken it yet

    void wake();
    bool has_posted();
    std::size_t wait(Millis at_most);
    std::size_t dispatch(std::size_t count);
    std::size_t run_posted();
    std::size_t run_deferred();
    void turn(Millis at_most);
    void keep_pace(Millis pace) const;
};

// Only who sleeps needs to be woken: a turn under way, or one that keeps its pace, looks at what was posted before it
// sleeps.
void Reactor::State::wake() {
    if (asleep.exchange(false)) {
        const std::uint64_t one = 1;
        (void)!::write(wake_up.get(), &one, sizeof(one));  // cannot fail: the counter holds more than are ever written
    }
}

bool Reactor::State::has_posted() {
    const std::lock_guard lock(mutex);
    return !posted.empty();
}

std::size_t Reactor::State::wait(Millis at_most) {
    // First the word, then the look: whoever posts does it the other way round, so that one of the two sees the other.
    asleep.store(true);
    if (stopping.load() || has_posted()) {
        at_most = Millis(0);
    }
    const Millis next = timers.next_deadline();
    if (next != Millis::max()) {
        at_most = std::min(at_most, std::max(next - clock.monotonic(), Millis(0)));
    }
    const auto timeout = static_cast<int>(std::min(at_most, longest_wait).count());
    const int ready = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), timeout);
    MUSTER_ASSERT(ready >= 0 || errno == EINTR);
    asleep.store(false, std::memory_order_relaxed);
    turn_began = std::chrono::steady_clock::now();
    monotonic = std::chrono::floor<Millis>(turn_began.time_since_epoch());
    now = clock.now();
    backlogged = ready == static_cast<int>(events.size());
    return ready > 0 ? static_cast<std::size_t>(ready) : 0;
}

std::size_t Reactor::State::dispatch(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        if (auto* handler = static_cast<IoHandler*>(events[i].data.ptr)) {
            handler->on_io(events[i].events);
        }
    }
    return count;
}

std::size_t Reactor::State::run_posted() {
    Tasks tasks;
    {
        const std::lock_guard lock(mutex);
        tasks.swap(posted);
    }
    return run_all(tasks);
}

std::size_t Reactor::State::run_deferred() {
    std::size_t ran = 0;
    while (!deferred.empty()) {
        Tasks tasks;
        tasks.swap(deferred);
        ran += run_all(tasks);
    }
    return ran;
}

void Reactor::State::turn(Millis at_most) {
    std::size_t handled = dispatch(wait(at_most));
    handled += timers.advance(monotonic);
    handled += run_posted();
    handled += run_deferred();
    if (handled > 0) {
        run_all(hooks);
        run_deferred();
    }
}

void Reactor::State::keep_pace(Millis pace) const {
    if (pace > Millis(0) && !backlogged) {
        std::this_thread::sleep_until(turn_began + pace);  // returns at once after a long wait for events
    }
}

Result<std::unique_ptr<Reactor>> Reactor::create() {
    auto state = std::make_unique<State>();
    state->epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
    state->wake_up.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
    if (!state->epoll || !state->wake_up ||
        ::epoll_ctl(state->epoll.get(), EPOLL_CTL_ADD, state->wake_up.get(), &event) != 0) {
        return fail(ErrorCode::io, "cannot start an event loop", std::strerror(errno));
    }
    return std::unique_ptr<Reactor>(new Reactor(std::move(state)));
}

Reactor::Reactor(std::unique_ptr<State> state) : state_(std::move(state)) {}

Reactor::~Reactor() = default;

void Reactor::run(Millis pace) {
    while (!state_->stopping.load()) {
        state_->turn(Millis::max());
        state_->keep_pace(pace);
    }
    state_->stopping.store(false);
}

void Reactor::run_once(Millis wait) {
    state_->turn(wait);
}

void Reactor::stop() {
    state_->stopping.store(true);
    state_->wake();
}

void Reactor::post(std::function<void()> task) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->posted.push_back(std::move(task));
    }
    state_->wake();
}

void Reactor::defer(std::function<void()> task) {
    state_->deferred.push_back(std::move(task));
}

void Reactor::at_turn_end(std::function<void()> hook) {
    state_->hooks.push_back(std::move(hook));
}

Result<void> Reactor::add(int fd, IoHandler& handler, std::uint32_t events) {
    epoll_event event{.events = events | EPOLLET, .data = {.ptr = &handler}};
    if (::epoll_ctl(state_->epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return fail(ErrorCode::io, "cannot watch a descriptor", std::strerror(errno));
    }
    return {};
}

Result<void> Reactor::modify(int fd, IoHandler& handler, std::uint32_t events) {
    epoll_event event{.events = events | EPOLLET, .data = {.ptr = &handler}};
    if (::epoll_ctl(state_->epoll.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
        return fail(ErrorCode::io, "cannot watch a descriptor", std::strerror(errno));
    }
    return {};
}

void Reactor::remove(int fd) {
    (void)::epoll_ctl(state_->epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
}

TimerWheel& Reactor::timers() {
    return state_->timers;
}

Millis Reactor::monotonic() const {
    return state_->monotonic;
}

Timestamp Reactor::now() const {
    return state_->now;
}

}  // namespace muster::net
