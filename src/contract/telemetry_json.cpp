#include "contract/telemetry_json.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include <simdjson.h>

namespace muster {
namespace {

using simdjson::dom::element_type;

constexpr std::size_t depth_max = 16;
constexpr std::size_t capacity_min = 4096;

bool is_number(simdjson::dom::element value) {
    const auto type = value.type();
    return type == element_type::INT64 || type == element_type::UINT64 || type == element_type::DOUBLE;
}

/// Milliseconds of a "ts": what does not fit an integer is no time.
std::optional<std::int64_t> time_of(simdjson::dom::element value) {
    double number = 0;
    if (!is_number(value) || value.get(number) != simdjson::SUCCESS || std::abs(number) > 0x1p53) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(number);
}

}  // namespace

/// The library's parser (picks the processor's instructions at run time) and the buffers.
struct TelemetryJson::Parser {
    simdjson::dom::parser json;
    std::vector<char> padded;
    std::vector<TelemetrySample> samples;
    std::vector<std::size_t> ends;  ///< of each sample, in `metrics`
    std::vector<std::pair<std::string_view, double>> metrics;
    Reading reading;

    [[nodiscard]] bool parse(std::string_view payload, simdjson::dom::element& root);
    void add(simdjson::dom::object object);
    [[nodiscard]] bool add_all(simdjson::dom::element root);
    void finish();
};

bool TelemetryJson::Parser::parse(std::string_view payload, simdjson::dom::element& root) {
    const std::size_t needed = payload.size() + simdjson::SIMDJSON_PADDING;
    if (padded.size() < needed) {
        padded.resize(std::max(needed, capacity_min + simdjson::SIMDJSON_PADDING));
    }
    if (json.capacity() < payload.size() &&
        json.allocate(std::max(payload.size(), capacity_min), depth_max) != simdjson::SUCCESS) {
        return false;
    }
    std::memcpy(padded.data(), payload.data(), payload.size());
    std::memset(padded.data() + payload.size(), ' ', simdjson::SIMDJSON_PADDING);
    return json.parse(padded.data(), payload.size(), false).get(root) == simdjson::SUCCESS;
}

void TelemetryJson::Parser::add(simdjson::dom::object object) {
    TelemetrySample sample;
    const std::size_t begin = metrics.size();
    for (const auto [name, value] : object) {
        double number = 0;
        if (name == "ts") {
            sample.time_ms = time_of(value);
            reading.ignored += sample.time_ms ? 0U : 1U;
        } else if (!is_number(value) || name.empty() || name.size() > telemetry_name_bytes_max ||
                   value.get(number) != simdjson::SUCCESS || !std::isfinite(number)) {
            ++reading.ignored;
        } else if (metrics.size() - begin == telemetry_metrics_max) {
            ++reading.over_limit;
        } else {
            metrics.emplace_back(name, number);
        }
    }
    samples.push_back(sample);
    ends.push_back(metrics.size());
}

bool TelemetryJson::Parser::add_all(simdjson::dom::element root) {
    simdjson::dom::object object;
    simdjson::dom::array array;
    if (root.get(object) == simdjson::SUCCESS) {
        add(object);
        return true;
    }
    if (root.get(array) != simdjson::SUCCESS) {
        return false;
    }
    for (const auto item : array) {
        if (item.get(object) != simdjson::SUCCESS || samples.size() == telemetry_samples_max) {
            return false;
        }
        add(object);
    }
    return true;
}

void TelemetryJson::Parser::finish() {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        samples[i].metrics = std::span(metrics).subspan(begin, ends[i] - begin);
        begin = ends[i];
    }
    reading.samples = samples;
}

TelemetryJson::TelemetryJson() : parser_(std::make_unique<Parser>()) {}
TelemetryJson::~TelemetryJson() = default;
TelemetryJson::TelemetryJson(TelemetryJson&&) noexcept = default;
TelemetryJson& TelemetryJson::operator=(TelemetryJson&&) noexcept = default;

Result<TelemetryJson::Reading> TelemetryJson::read(std::string_view payload) {
    Parser& parser = *parser_;
    parser.samples.clear();
    parser.ends.clear();
    parser.metrics.clear();
    parser.reading = {};
    simdjson::dom::element root;
    if (!parser.parse(payload, root)) {
        return fail(ErrorCode::malformed, "telemetry is not valid JSON");
    }
    if (!parser.add_all(root)) {
        return fail(ErrorCode::malformed, "telemetry must be an object or an array of at most 1024 objects");
    }
    parser.finish();
    return parser.reading;
}

}  // namespace muster
