#include "storage/redis_link.h"

#include <algorithm>

namespace muster {
namespace {

constexpr Millis back_off_min{50};
constexpr Millis back_off_max{2000};

}  // namespace

RedisLink::RedisLink(Setup setup, MetricRegistry& metrics)
    : setup_(std::move(setup)),
      shas_(setup_.scripts.size()),
      connects_(
          metrics.counter("muster_redis_connects_total", "Connections made to Redis", {{"purpose", setup_.purpose}})),
      failures_(metrics.counter("muster_redis_failures_total", "Connections to Redis that failed, and refused commands",
                                {{"purpose", setup_.purpose}})),
      connected_(metrics.gauge("muster_redis_connected", "Whether Redis could be reached at the last try",
                               {{"purpose", setup_.purpose}})) {}

Result<RedisConnection*> RedisLink::get() {
    if (!connection_) {
        if (Steady::now() < next_try_) {
            return fail(ErrorCode::unavailable, "Redis cannot be reached; the next try waits");
        }
        if (const auto opened = open(); !opened) {
            connection_.reset();
            failures_.Increment();
            connected_.Set(0);
            wait_longer();
            return tl::unexpected(opened.error());
        }
        connects_.Increment();
        connected_.Set(1);
        back_off_ = Millis(0);
        if (std::exchange(was_connected_, true)) {
            spdlog::info("{}: Redis is there again", setup_.purpose);
        }
    }
    return connection_.get();
}

Result<void> RedisLink::open() {
    auto opened = RedisConnection::open(setup_.options);
    if (!opened) {
        return tl::unexpected(opened.error());
    }
    connection_ = std::move(*opened);
    for (std::size_t i = 0; i < setup_.scripts.size(); ++i) {
        const auto loaded = connection_->command({"SCRIPT", "LOAD", setup_.scripts[i]});
        if (!loaded) {
            return tl::unexpected(loaded.error());
        }
        shas_[i] = loaded->text();
    }
    return setup_.on_connected ? setup_.on_connected(*connection_) : Result<void>{};
}

void RedisLink::note(const Error& error) {
    failures_.Increment();
    std::uint64_t swallowed = 0;
    if (log_.allow(std::chrono::duration_cast<Millis>(Steady::now().time_since_epoch()), swallowed)) {
        spdlog::warn("{}: {} ({} more such failures)", setup_.purpose, error.message(), swallowed);
    }
    if (connection_ && (connection_->is_broken() || error.code == ErrorCode::not_found)) {
        connection_.reset();
        connected_.Set(0);
        next_try_ = Steady::now();
    }
}

void RedisLink::wait_longer() {
    back_off_ = std::clamp(back_off_ * 2, back_off_min, back_off_max);
    next_try_ = Steady::now() + back_off_;
}

Millis RedisLink::until_next_try() const {
    const auto left = std::chrono::ceil<Millis>(next_try_ - Steady::now());
    return connection_ ? Millis(0) : std::max(Millis(0), left);
}

}  // namespace muster
