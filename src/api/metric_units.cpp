#include "api/metric_units.h"

#include <array>
#include <utility>

namespace muster {
namespace {

using Entry = std::pair<std::string_view, std::string_view>;

constexpr std::array<Entry, 14> by_name{{
    {"battery", "%"},
    {"humidity", "%"},
    {"temperature", "°C"},
    {"temp", "°C"},
    {"rssi", "dBm"},
    {"snr", "dB"},
    {"voltage", "V"},
    {"current", "A"},
    {"power", "W"},
    {"energy", "kWh"},
    {"pressure", "hPa"},
    {"uptime", "s"},
    {"latency", "ms"},
    {"speed", "km/h"},
}};

constexpr std::array<Entry, 14> by_ending{{
    {"_pct", "%"},
    {"_percent", "%"},
    {"_celsius", "°C"},
    {"_c", "°C"},
    {"_dbm", "dBm"},
    {"_db", "dB"},
    {"_mv", "mV"},
    {"_v", "V"},
    {"_a", "A"},
    {"_w", "W"},
    {"_hpa", "hPa"},
    {"_ms", "ms"},
    {"_s", "s"},
    {"_bytes", "B"},
}};

}  // namespace

std::string_view unit_of(std::string_view metric) {
    for (const auto& [name, unit] : by_name) {
        if (metric == name) {
            return unit;
        }
    }
    for (const auto& [ending, unit] : by_ending) {
        if (metric.ends_with(ending)) {
            return unit;
        }
    }
    return {};
}

}  // namespace muster
