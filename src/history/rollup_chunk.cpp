#include "history/rollup_chunk.h"

#include <algorithm>
#include <cmath>

#include "history/column_codec.h"
#include "history/history_chunk.h"
#include "history/sealed_bytes.h"
#include "history/varint.h"

namespace muster {
namespace {

constexpr std::uint8_t rollup_version = 1;
constexpr std::uint8_t plain_doubles = 255;
constexpr std::int64_t day_ms = 86'400'000;
constexpr std::size_t intervals_looked_at = 1024;
/// Above it a sum of so many decimals is not surely the whole number that it stands for.
constexpr double exact_sum_max = 1e14;

tl::unexpected<Error> malformed_rollups() {
    return fail(ErrorCode::malformed, "history rollups do not follow their format");
}

std::int64_t slot_of(std::int64_t time, std::int64_t slot_ms) {
    return time - time % slot_ms;
}

void write_column(std::string& out, const std::string& column) {
    write_varint(out, column.size());
    out.append(column);
}

template <class Get>
void write_numbers(const std::vector<Rollup>& slots, Get get, std::string& out) {
    std::vector<std::int64_t> numbers;
    numbers.reserve(slots.size());
    std::ranges::transform(slots, std::back_inserter(numbers), get);
    std::string column;
    encode_numbers(numbers, column);
    write_column(out, column);
}

void write_doubles(const std::vector<Rollup>& slots, double Rollup::* member, std::string& out) {
    std::vector<double> values;
    values.reserve(slots.size());
    std::ranges::transform(slots, std::back_inserter(values), [member](const Rollup& slot) { return slot.*member; });
    std::string column;
    encode_doubles(values, column);
    write_column(out, column);
}

/// The decimals of minimum and maximum of all slots when the sums have no more than these, rounding apart.
std::optional<unsigned> decimals_of_slots(const std::vector<Rollup>& slots) {
    std::optional<unsigned> decimals = 0;
    for (const Rollup& slot : slots) {
        for (const double value : {slot.minimum, slot.maximum}) {
            if (decimals) {
                const auto whole = scaled_decimal(value, *decimals);
                decimals = whole ? std::optional(whole->decimals) : std::nullopt;
            }
        }
    }
    if (!decimals) {
        return decimals;
    }
    for (const Rollup& slot : slots) {
        const auto ten = static_cast<double>(scaled(1, *decimals));
        const double product = slot.sum * ten;
        // Values between the extremes may have more decimals: then the sum shows it, or nearly always does.
        if (!(std::abs(product) < exact_sum_max) || std::abs(product - std::nearbyint(product)) > 1e-3 ||
            !(std::abs(slot.minimum * ten) < exact_sum_max) || !(std::abs(slot.maximum * ten) < exact_sum_max)) {
            return std::nullopt;
        }
    }
    return decimals;
}

std::int64_t rounded_average(std::int64_t sum, std::int64_t samples) {
    const std::int64_t half = sum < 0 ? -(samples / 2) : samples / 2;
    return (sum + half) / samples;
}

void write_metric(const MetricRollups& metric, std::int64_t day_begin_ms, std::int64_t slot_ms, std::string& out) {
    write_text(out, metric.name);
    write_varint(out, static_cast<std::uint64_t>(metric.interval_ms));
    write_varint(out, metric.slots.size());
    write_numbers(metric.slots, [&](const Rollup& slot) { return (slot.time - day_begin_ms) / slot_ms; }, out);
    write_numbers(metric.slots, [](const Rollup& slot) { return static_cast<std::int64_t>(slot.samples); }, out);
    const auto decimals = decimals_of_slots(metric.slots);
    if (!decimals) {
        out.push_back(static_cast<char>(plain_doubles));
        write_doubles(metric.slots, &Rollup::sum, out);
        write_doubles(metric.slots, &Rollup::minimum, out);
        write_doubles(metric.slots, &Rollup::maximum, out);
        return;
    }
    const auto average = [&](const Rollup& slot) { return rounded_average(scaled(slot.sum, *decimals), slot.samples); };
    out.push_back(static_cast<char>(*decimals));
    write_numbers(metric.slots, [&](const Rollup& slot) { return scaled(slot.sum, *decimals); }, out);
    write_numbers(
        metric.slots, [&](const Rollup& slot) { return average(slot) - scaled(slot.minimum, *decimals); }, out);
    write_numbers(
        metric.slots, [&](const Rollup& slot) { return scaled(slot.maximum, *decimals) - average(slot); }, out);
}

bool read_numbers(VarintReader& reader, std::vector<std::int64_t>& numbers) {
    const std::string_view column = reader.raw(reader.varint());
    return reader.ok() && decode_numbers(column, numbers).has_value();
}

bool read_doubles(VarintReader& reader, std::vector<Rollup>& slots, double Rollup::* member) {
    std::vector<double> values(slots.size());
    const std::string_view column = reader.raw(reader.varint());
    if (!reader.ok() || !decode_doubles(column, values)) {
        return false;
    }
    for (std::size_t i = 0; i < slots.size(); ++i) {
        slots[i].*member = values[i];
    }
    return true;
}

bool read_scaled(VarintReader& reader, std::vector<Rollup>& slots, unsigned decimals) {
    std::vector<std::int64_t> sums(slots.size());
    std::vector<std::int64_t> below(slots.size());
    std::vector<std::int64_t> above(slots.size());
    if (!read_numbers(reader, sums) || !read_numbers(reader, below) || !read_numbers(reader, above)) {
        return false;
    }
    constexpr std::int64_t number_max = std::int64_t{1} << 52U;
    const auto is_small = [](std::int64_t number) { return number < number_max && number > -number_max; };
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (!is_small(sums[i]) || !is_small(below[i]) || !is_small(above[i])) {
            return false;
        }
        const std::int64_t average = rounded_average(sums[i], slots[i].samples);
        slots[i].sum = unscaled(sums[i], decimals);
        slots[i].minimum = unscaled(average - below[i], decimals);
        slots[i].maximum = unscaled(average + above[i], decimals);
    }
    return true;
}

bool read_slots(VarintReader& reader, std::int64_t day_begin_ms, std::int64_t slot_ms, std::vector<Rollup>& slots) {
    std::vector<std::int64_t> numbers(slots.size());
    if (!read_numbers(reader, numbers) || numbers.front() < 0 || numbers.back() >= day_ms / slot_ms ||
        std::ranges::adjacent_find(numbers, std::greater_equal<>()) != numbers.end()) {
        return false;
    }
    for (std::size_t i = 0; i < slots.size(); ++i) {
        slots[i].time = day_begin_ms + numbers[i] * slot_ms;
    }
    if (!read_numbers(reader, numbers)) {
        return false;
    }
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (numbers[i] < 1 || numbers[i] > UINT32_MAX) {
            return false;
        }
        slots[i].samples = static_cast<std::uint32_t>(numbers[i]);
    }
    const std::uint8_t decimals = reader.byte();
    if (decimals == plain_doubles) {
        return read_doubles(reader, slots, &Rollup::sum) && read_doubles(reader, slots, &Rollup::minimum) &&
               read_doubles(reader, slots, &Rollup::maximum);
    }
    return decimals <= decimals_max && read_scaled(reader, slots, decimals);
}

}  // namespace

double Rollup::average() const {
    // Rounding must not put the mean outside what it is the mean of.
    return std::clamp(sum / samples, minimum, maximum);
}

void Rollup::add(double value) {
    minimum = samples == 0 ? value : std::min(minimum, value);
    maximum = samples == 0 ? value : std::max(maximum, value);
    sum += value;
    ++samples;
}

void Rollup::add(const Rollup& other) {
    minimum = samples == 0 ? other.minimum : std::min(minimum, other.minimum);
    maximum = samples == 0 ? other.maximum : std::max(maximum, other.maximum);
    sum += other.sum;
    samples += other.samples;
}

std::int64_t usual_interval(std::span<const std::int64_t> times) {
    std::vector<std::int64_t> intervals;
    for (std::size_t i = 1; i < times.size() && intervals.size() < intervals_looked_at; ++i) {
        intervals.push_back(times[i] - times[i - 1]);
    }
    if (intervals.empty()) {
        return 0;
    }
    const auto middle = intervals.begin() + static_cast<std::ptrdiff_t>(intervals.size() / 2);
    std::ranges::nth_element(intervals, middle);
    return *middle;
}

std::vector<MetricRollups> roll_up(const SampleTable& table, std::int64_t slot_ms) {
    std::vector<MetricRollups> result;
    for (const MetricSamples& samples : table.metrics()) {
        if (samples.times.empty()) {
            continue;
        }
        MetricRollups rollups{samples.name, usual_interval(samples.times), {}};
        for (std::size_t i = 0; i < samples.times.size(); ++i) {
            const std::int64_t slot = slot_of(samples.times[i], slot_ms);
            if (rollups.slots.empty() || rollups.slots.back().time != slot) {
                rollups.slots.push_back({.time = slot});
            }
            rollups.slots.back().add(samples.values[i]);
        }
        result.push_back(std::move(rollups));
    }
    return result;
}

std::vector<MetricRollups> roll_up(const std::vector<MetricRollups>& finer, std::int64_t slot_ms) {
    std::vector<MetricRollups> result;
    for (const MetricRollups& metric : finer) {
        MetricRollups rollups{metric.name, metric.interval_ms, {}};
        for (const Rollup& fine : metric.slots) {
            const std::int64_t slot = slot_of(fine.time, slot_ms);
            if (rollups.slots.empty() || rollups.slots.back().time != slot) {
                rollups.slots.push_back({.time = slot});
            }
            rollups.slots.back().add(fine);
        }
        result.push_back(std::move(rollups));
    }
    return result;
}

void encode_rollups(const std::vector<MetricRollups>& metrics, std::int64_t day_begin_ms, std::int64_t slot_ms,
                    std::string& out) {
    begin_seal(out, rollup_version);
    write_varint(out, metrics.size());
    for (const MetricRollups& metric : metrics) {
        write_metric(metric, day_begin_ms, slot_ms, out);
    }
    close_seal(out);
}

Result<std::vector<MetricRollups>> decode_rollups(std::string_view bytes, std::int64_t day_begin_ms,
                                                  std::int64_t slot_ms, std::span<const std::string> wanted) {
    const auto body = open_seal(bytes, rollup_version);
    if (!body) {
        return tl::unexpected(body.error());
    }
    VarintReader reader(*body);
    const std::uint64_t count = reader.varint();
    std::vector<MetricRollups> result;
    for (std::uint64_t i = 0; i < count; ++i) {
        MetricRollups metric;
        metric.name = reader.text();
        metric.interval_ms = static_cast<std::int64_t>(reader.varint());
        const std::uint64_t slots = reader.varint();
        if (!reader.ok() || i >= chunk_metrics_max || metric.interval_ms < 0 || slots == 0 ||
            slots > static_cast<std::uint64_t>(day_ms / slot_ms)) {
            return malformed_rollups();
        }
        metric.slots.resize(slots);
        if (!read_slots(reader, day_begin_ms, slot_ms, metric.slots)) {
            return malformed_rollups();
        }
        if (wanted.empty() || std::ranges::find(wanted, metric.name) != wanted.end()) {
            result.push_back(std::move(metric));
        }
    }
    if (!reader.ok() || !reader.at_end()) {
        return malformed_rollups();
    }
    return result;
}

}  // namespace muster
