#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

/// One metric's samples: times (epoch ms), values and whether the time is that of receipt, in step.
struct MetricSamples {
    std::string name;
    std::vector<std::int64_t> times;
    std::vector<double> values;
    std::vector<std::uint8_t> clamped;

    void add(std::int64_t time, double value, bool is_clamped) {
        times.push_back(time);
        values.push_back(value);
        clamped.push_back(is_clamped ? 1 : 0);
    }
};

/// Samples of one device, metric by metric, gathered from chunks and open rows; what is added later replaces what has
/// the same metric and time. Reused from device to device: clear() keeps the memory. One thread; bounded by who fills
/// it.
class SampleTable final {
 public:
    SampleTable() = default;
    /// Only these metrics are taken in; empty: all. The names outlive the table's use.
    explicit SampleTable(std::span<const std::string> wanted) : wanted_(wanted) {}

    [[nodiscard]] bool wants(std::string_view metric) const;
    /// The place of a metric, made when it is new. Valid until the next call.
    [[nodiscard]] MetricSamples& metric(std::string_view name);
    [[nodiscard]] std::size_t index_of(std::string_view name);
    [[nodiscard]] MetricSamples& at(std::size_t index) { return metrics_[index]; }
    /// Puts each metric's times into ascending order, one sample a time, and the metrics in order of their names.
    void fold();

    /// Those that have samples are not all: a metric of an earlier device may be there, empty.
    [[nodiscard]] std::span<const MetricSamples> metrics() const { return metrics_; }
    [[nodiscard]] std::span<MetricSamples> metrics() { return metrics_; }
    [[nodiscard]] std::size_t values() const;
    void clear();

 private:
    std::span<const std::string> wanted_{};
    std::vector<MetricSamples> metrics_;
};

}  // namespace muster
