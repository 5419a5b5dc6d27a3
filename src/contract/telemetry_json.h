#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace muster {

/// Bounds of a telemetry payload.
inline constexpr std::size_t telemetry_metrics_max = 32;     ///< numbers a sample
inline constexpr std::size_t telemetry_name_bytes_max = 64;  ///< of a metric
inline constexpr std::size_t telemetry_samples_max = 1024;   ///< an array

/// One object of a telemetry payload. Views point into the reader, until its next read.
struct TelemetrySample {
    std::optional<std::int64_t> time_ms;  ///< its "ts"
    std::span<const std::pair<std::string_view, double>> metrics;
};

/// Reads DESIGN 3.1's telemetry: a JSON object of numbers with an optional "ts" (epoch ms), or an array of such. Owned
/// by a fold; one thread; its buffers are kept from payload to payload.
class TelemetryJson final {
 public:
    TelemetryJson();
    ~TelemetryJson();
    TelemetryJson(TelemetryJson&&) noexcept;
    TelemetryJson& operator=(TelemetryJson&&) noexcept;

    struct Reading {
        std::span<const TelemetrySample> samples;
        std::uint32_t ignored = 0;     ///< members that are no numbers, or have no proper name
        std::uint32_t over_limit = 0;  ///< members over telemetry_metrics_max
    };
    /// All or nothing. malformed: not JSON, neither object nor array of objects, more than telemetry_samples_max
    /// objects, or a number beyond a double.
    [[nodiscard]] Result<Reading> read(std::string_view payload);

 private:
    struct Parser;
    std::unique_ptr<Parser> parser_;
};

}  // namespace muster
