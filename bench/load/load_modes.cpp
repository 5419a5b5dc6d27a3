#include "load_modes.h"

#include <iostream>
#include <thread>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "will_watcher.h"

namespace muster {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Time = SteadyClock::time_point;

constexpr std::chrono::milliseconds send_step{5};
constexpr std::chrono::milliseconds idle_step{100};
constexpr double as_fast_as_it_goes = 1e9;
constexpr int messages_per_write = 16;  // of a connection that sends all it can
constexpr Millis will_patience{2000};

double seconds_since(Time start) {
    return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

SteadyClock::duration seconds(double value) {
    return std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(value));
}

double to_ms(Micros micros) {
    return static_cast<double>(micros.count()) / 1000;
}

tl::unexpected<Error> not_connected(const LoadFleet& fleet) {
    return fail(ErrorCode::timed_out, "not all connections could be made",
                fmt::format("{} of {}, {} lost, {} sockets refused", fleet.connected(), fleet.size(), fleet.lost(),
                            fleet.failed_opens()));
}

/// Four metrics as a device sends them, padded with JSON white space to the wanted size.
class Payload {
 public:
    explicit Payload(std::size_t bytes) : text_(R"({"battery":87.3,"temperature":24.6,"cpu":10.0,"signal":-83)") {
        digits_at_ = text_.find("10.0");
        text_.resize(std::max(bytes, text_.size() + 1) - 1, ' ');
        text_.push_back('}');
    }
    std::string_view next() {
        count_ = (count_ + 1) % 900;
        const unsigned value = 100 + count_;
        text_[digits_at_] = static_cast<char>('0' + value / 100);
        text_[digits_at_ + 1] = static_cast<char>('0' + value / 10 % 10);
        text_[digits_at_ + 3] = static_cast<char>('0' + value % 10);
        return text_;
    }

 private:
    std::string text_;
    std::size_t digits_at_ = 0;
    unsigned count_ = 0;
};

std::string topic_for(const LoadOptions& options, const std::string& client_id) {
    std::string topic = options.topic;
    if (const auto at = topic.find("{id}"); at != std::string::npos) {
        topic.replace(at, 4, client_id);
    }
    return topic;
}

/// Sends what is due, one message a connection in turn.
class Publisher {
 public:
    Publisher(const LoadOptions& options, LoadFleet& fleet)
        : options_(options), fleet_(fleet), payload_(options.payload_bytes) {
        for (std::size_t i = 0; i < fleet.size(); ++i) {
            topics_.push_back(topic_for(options, fleet.connection(i).client_id()));
        }
    }

    void run() {
        const Time start = SteadyClock::now();
        const Time end = start + seconds(options_.duration_s);
        if (options_.rate == 0) {
            saturate(end);
            return;
        }
        for (Time step = start; step < end; step += send_step) {
            fleet_.turn(step);
            send_until(options_.rate * std::chrono::duration<double>(step - start).count());
            fleet_.ping_due(step);
        }
    }
    /// Waits for the acknowledgements that are still owed, at most five seconds.
    void drain() {
        const Time end = SteadyClock::now() + std::chrono::seconds(5);
        while (options_.qos > 0 && fleet_.acknowledgements().count() < sent_ && SteadyClock::now() < end) {
            fleet_.turn(SteadyClock::now() + send_step);
        }
    }
    [[nodiscard]] std::uint64_t sent() const { return sent_; }
    [[nodiscard]] std::uint64_t withheld() const { return withheld_; }

 private:
    void send_until(double due) {
        for (; static_cast<double>(sent_ + withheld_) < due; next_ = (next_ + 1) % fleet_.size()) {
            const auto sent = fleet_.connection(next_).publish(topics_[next_], payload_.next(), options_.qos);
            fleet_.connection(next_).flush();
            ++(sent == LoadConnection::Sent::yes ? sent_ : withheld_);
        }
    }
    void saturate(Time end) {
        while (SteadyClock::now() < end) {
            const std::uint64_t before = sent_;
            for (std::size_t i = 0; i < fleet_.size(); ++i) {
                send_all_it_can(i);
            }
            fleet_.turn_once(Millis(sent_ == before ? 1 : 0));
        }
    }
    void send_all_it_can(std::size_t number) {
        LoadConnection& connection = fleet_.connection(number);
        for (int i = 0; i < messages_per_write; ++i) {
            if (connection.publish(topics_[number], payload_.next(), options_.qos) == LoadConnection::Sent::withheld) {
                break;
            }
            ++sent_;
        }
        connection.flush();
    }

    const LoadOptions& options_;
    LoadFleet& fleet_;
    Payload payload_;
    std::vector<std::string> topics_;
    std::size_t next_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t withheld_ = 0;
};

bool input_ended() {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    char byte = 0;
    return ::poll(&input, 1, 0) > 0 && ::read(STDIN_FILENO, &byte, 1) <= 0;
}

}  // namespace

Result<std::string> run_publish(const LoadOptions& options) {
    auto fleet = LoadFleet::create(options);
    if (!fleet) {
        return tl::unexpected(fleet.error());
    }
    if (!(*fleet)->connect_all(options.connect_rate)) {
        return not_connected(**fleet);
    }
    Publisher publisher(options, **fleet);
    const Time start = SteadyClock::now();
    publisher.run();
    const double elapsed = seconds_since(start);
    publisher.drain();
    const LatencyHistogram& acks = (*fleet)->acknowledgements();
    std::string line = fmt::format(
        R"({{"mode":"publish","connections":{},"qos":{},"payload_bytes":{},"seconds":{:.3f},"sent":{},"withheld":{},"lost_connections":{},"acknowledged":{},"ack_p50_ms":{:.3f},"ack_p99_ms":{:.3f},"ack_max_ms":{:.3f}}})",
        (*fleet)->size(), options.qos, options.payload_bytes, elapsed, publisher.sent(), publisher.withheld(),
        (*fleet)->lost(), acks.count(), to_ms(acks.percentile(0.5)), to_ms(acks.percentile(0.99)), to_ms(acks.max()));
    (*fleet)->disconnect_all();
    return line;
}

Result<std::string> run_idle(const LoadOptions& options) {
    auto fleet = LoadFleet::create(options);
    if (!fleet) {
        return tl::unexpected(fleet.error());
    }
    const Time start = SteadyClock::now();
    if (!(*fleet)->connect_all(options.connect_rate)) {
        return not_connected(**fleet);
    }
    std::cout
        << fmt::format(
               R"({{"mode":"idle","connections":{},"connect_s":{:.3f},"connect_p50_ms":{:.3f},"connect_p99_ms":{:.3f}}})",
               (*fleet)->size(), seconds_since(start), to_ms((*fleet)->connects().percentile(0.5)),
               to_ms((*fleet)->connects().percentile(0.99)))
        << std::endl;
    const Time end = SteadyClock::now() + seconds(options.duration_s);
    while (SteadyClock::now() < end && !input_ended()) {
        std::this_thread::sleep_for(idle_step);
        (*fleet)->turn(SteadyClock::now() + std::chrono::milliseconds(1));
        (*fleet)->ping_due(SteadyClock::now());
    }
    std::string line = fmt::format(R"({{"mode":"idle_end","connections":{},"lost_connections":{}}})",
                                   (*fleet)->connected(), (*fleet)->lost());
    (*fleet)->disconnect_all();
    return line;
}

Result<std::string> run_storm(const LoadOptions& options) {
    auto fleet = LoadFleet::create(options);
    if (!fleet) {
        return tl::unexpected(fleet.error());
    }
    if (!(*fleet)->connect_all(options.connect_rate)) {
        return not_connected(**fleet);
    }
    const Time start = SteadyClock::now();
    (*fleet)->abort_all();
    const Time broken = SteadyClock::now();
    if (!(*fleet)->connect_all(as_fast_as_it_goes)) {
        return not_connected(**fleet);
    }
    const double back_s = seconds_since(broken);
    const double broken_s = std::chrono::duration<double>(broken - start).count();
    const LatencyHistogram& connects = (*fleet)->connects();
    std::string line = fmt::format(
        R"({{"mode":"storm","connections":{},"broken_s":{:.3f},"back_after_broken_s":{:.3f},"all_back_s":{:.3f},"connect_p50_ms":{:.3f},"connect_p99_ms":{:.3f},"connect_max_ms":{:.3f},"lost_connections":{}}})",
        (*fleet)->size(), broken_s, back_s, broken_s + back_s, to_ms(connects.percentile(0.5)),
        to_ms(connects.percentile(0.99)), to_ms(connects.max()), (*fleet)->lost());
    (*fleet)->disconnect_all();
    return line;
}

Result<std::string> run_wills(const LoadOptions& options) {
    LoadOptions with_wills = options;
    with_wills.greeting.has_will = true;
    auto fleet = LoadFleet::create(with_wills);
    if (!fleet) {
        return tl::unexpected(fleet.error());
    }
    auto watcher = WillWatcher::start(options);
    if (!watcher) {
        return tl::unexpected(watcher.error());
    }
    if (!(*fleet)->connect_all(options.connect_rate)) {
        return not_connected(**fleet);
    }
    const Time start = SteadyClock::now();
    (*fleet)->abort_all();
    const double last_death_s = seconds_since(start);
    (*watcher)->wait_for(options.connections, will_patience);
    const double last_will_s =
        (*watcher)->wills() == 0 ? 0 : std::chrono::duration<double>((*watcher)->last_will() - start).count();
    return fmt::format(
        R"({{"mode":"wills","connections":{},"wills":{},"last_death_s":{:.3f},"last_will_s":{:.3f},"after_last_death_s":{:.3f}}})",
        (*fleet)->size(), (*watcher)->wills(), last_death_s, last_will_s, std::max(0.0, last_will_s - last_death_s));
}

}  // namespace muster
