#include "base/log.h"

#include <memory>

#include <spdlog/sinks/stdout_color_sinks.h>

namespace muster {

Result<void> start_log(std::string_view level) {
    const auto parsed = spdlog::level::from_str(std::string(level));
    if (parsed == spdlog::level::off && level != "off") {
        return fail(ErrorCode::invalid_argument, "log level must be one of trace, debug, info, warn, error, off",
                    std::string(level));
    }
    auto logger = std::make_shared<spdlog::logger>("muster", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v", spdlog::pattern_time_type::utc);
    logger->set_level(parsed);
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
    return {};
}

bool LogLimit::allow(Millis monotonic_now, std::uint64_t& swallowed) {
    std::int64_t next = next_ms_.load(std::memory_order_relaxed);
    const std::int64_t now = monotonic_now.count();
    if (now < next || !next_ms_.compare_exchange_strong(next, now + interval_ms_, std::memory_order_relaxed)) {
        refused_.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    swallowed = refused_.exchange(0, std::memory_order_relaxed);
    return true;
}

}  // namespace muster
