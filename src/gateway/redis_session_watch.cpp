#include "gateway/redis_session_watch.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/thread.h"
#include "gateway/redis_session_keys.h"

namespace muster {
namespace {

constexpr std::string_view alive_ms = "3000";
constexpr std::chrono::milliseconds say_alive_every{1000};
constexpr std::string_view block_ms = "200";  // less than a command may take
constexpr std::string_view notices_per_read = "1000";
constexpr std::string_view no_place = "0-0";

/// Milliseconds and sequence of a stream's id.
std::pair<std::uint64_t, std::uint64_t> numbers_of(std::string_view id) {
    std::pair<std::uint64_t, std::uint64_t> numbers;
    const char* const begin = id.data();  // NOLINT(bugprone-suspicious-stringview-data-usage): `end` bounds it
    const char* const end = begin + id.size();
    const auto first = std::from_chars(begin, end, numbers.first);
    if (first.ptr != end && *first.ptr == '-') {
        (void)std::from_chars(first.ptr + 1, end, numbers.second);
    }
    return numbers;
}

}  // namespace

RedisSessionWatch::RedisSessionWatch(const RedisOptions& redis, std::string gateway,
                                     std::function<void(RedisSessionNotice&&)> on_notice, MetricRegistry& metrics)
    : gateway_(std::move(gateway)),
      alive_key_(redis_alive_key(gateway_)),
      notices_key_(redis_notices_key(gateway_)),
      on_notice_(std::move(on_notice)),
      link_({.options = redis,
             .purpose = "sessions-watch",
             .on_connected = [this](RedisConnection& connection) { return find_place(connection); }},
            metrics) {}

RedisSessionWatch::~RedisSessionWatch() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
    if (const auto connection = link_.get()) {
        (void)(*connection)->command({"DEL", alive_key_});
    }
}

Result<void> RedisSessionWatch::start() {
    const auto connection = link_.get();
    if (!connection) {
        return tl::unexpected(connection.error());
    }
    if (auto said = say_alive(**connection); !said) {
        return said;
    }
    thread_ = start_thread("sessions-watch", [this] { run(); });
    return {};
}

/// A server that has lost everything may begin again below what was read.
Result<void> RedisSessionWatch::find_place(RedisConnection& connection) {
    const auto last = connection.command({"XREVRANGE", notices_key_, "+", "-", "COUNT", "1"});
    if (!last) {
        return tl::unexpected(last.error());
    }
    const std::string_view id = (*last)[0][0].text();
    if (place_.empty()) {
        place_ = id.empty() ? no_place : id;  // what was told to the gateway's last life is over
    } else if (numbers_of(id) < numbers_of(place_)) {
        place_ = no_place;
    }
    return {};
}

Result<void> RedisSessionWatch::say_alive(RedisConnection& connection) {
    const auto now = std::chrono::steady_clock::now();
    if (now - said_alive_at_ < say_alive_every) {
        return {};
    }
    const auto said = connection.command({"SET", alive_key_, "1", "PX", alive_ms});
    if (!said) {
        return tl::unexpected(said.error());
    }
    said_alive_at_ = now;
    return {};
}

void RedisSessionWatch::run() {
    while (!wait(link_.until_next_try())) {
        const auto connection = link_.get();
        if (!connection) {
            continue;
        }
        const auto done = say_alive(**connection).and_then([&] { return read_notices(**connection); });
        if (!done) {
            said_alive_at_ = {};
            link_.note(done.error());
        }
    }
}

Result<void> RedisSessionWatch::read_notices(RedisConnection& connection) {
    const auto reply =
        connection.command({"XREAD", "COUNT", notices_per_read, "BLOCK", block_ms, "STREAMS", notices_key_, place_});
    if (!reply) {
        return tl::unexpected(reply.error());
    }
    const RedisValue entries = (*reply)[0][1];
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const RedisValue entry = entries[i];
        place_ = entry[0].text();
        const RedisValue values = entry[1];
        on_notice_({.at = gateway_,
                    .is_given = values[1].text() == "given",
                    .session = std::string(values[3].text()),
                    .epoch = values[5].unsigned_integer(),
                    .other = std::string(values[7].text())});
    }
    return {};
}

/// True when it is time to end.
bool RedisSessionWatch::wait(Millis time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace muster
