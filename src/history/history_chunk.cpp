#include "history/history_chunk.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/assert.h"
#include "history/column_codec.h"
#include "history/sealed_bytes.h"
#include "history/varint.h"

namespace muster {
namespace {

constexpr std::uint8_t chunk_version = 1;
constexpr std::uint8_t clamped_flag = 1;
constexpr std::int64_t hour_ms = 3'600'000;

tl::unexpected<Error> malformed_chunk() {
    return fail(ErrorCode::malformed, "history chunk does not follow its format");
}

bool bit_of(std::string_view bits, std::size_t i) {
    return ((static_cast<std::uint8_t>(bits[i / 8]) >> (i % 8)) & 1U) != 0;
}

void set_bit(std::string& out, std::size_t begin, std::size_t i) {
    char& byte = out[begin + i / 8];
    byte = static_cast<char>(static_cast<unsigned>(byte) | (1U << (i % 8)));
}

std::size_t bitmap_bytes(std::size_t rows) {
    return (rows + 7) / 8;
}

/// All times of the table once, ascending.
std::vector<std::int64_t> rows_of(const SampleTable& table) {
    std::vector<std::int64_t> rows;
    for (const MetricSamples& samples : table.metrics()) {
        if (samples.times.empty() || samples.times == rows) {
            continue;
        }
        std::vector<std::int64_t> both;
        std::ranges::set_union(rows, samples.times, std::back_inserter(both));
        rows = std::move(both);
    }
    return rows;
}

void write_clamped(const SampleTable& table, std::span<const std::int64_t> rows, std::string& out) {
    const std::size_t begin = out.size();
    out.append(bitmap_bytes(rows.size()), '\0');
    for (const MetricSamples& samples : table.metrics()) {
        for (std::size_t i = 0; i < samples.times.size(); ++i) {
            if (samples.clamped[i] != 0) {
                const auto row = std::ranges::lower_bound(rows, samples.times[i]) - rows.begin();
                set_bit(out, begin, static_cast<std::size_t>(row));
            }
        }
    }
}

void write_metric(const MetricSamples& samples, std::span<const std::int64_t> rows, std::string& out) {
    static thread_local std::string column;
    column.clear();
    encode_doubles(samples.values, column);
    const bool sparse = samples.times.size() != rows.size();
    write_text(out, samples.name);
    write_varint(out, (static_cast<std::uint64_t>(column.size()) << 1U) | (sparse ? 1U : 0U));
    if (sparse) {
        const std::size_t begin = out.size();
        out.append(bitmap_bytes(rows.size()), '\0');
        std::size_t row = 0;
        for (const std::int64_t time : samples.times) {
            for (; rows[row] != time; ++row) {
            }
            set_bit(out, begin, row);
        }
    }
    out.append(column);
}

/// What decoding needs, reused: a set a thread.
struct Scratch {
    std::vector<std::int64_t> times;
    std::vector<double> values;
};

bool are_rows(std::span<const std::int64_t> times) {
    return times.front() >= 0 && times.back() < hour_ms &&
           std::ranges::adjacent_find(times, std::greater_equal<>()) == times.end();
}

bool read_metric(VarintReader& reader, std::uint64_t rows, std::string_view clamped, std::int64_t hour_begin_ms,
                 Scratch& scratch, SampleTable& table) {
    const std::string_view name = reader.text();
    const std::uint64_t head = reader.varint();
    const bool sparse = (head & 1U) != 0;
    const std::string_view has = sparse ? reader.raw(bitmap_bytes(rows)) : std::string_view{};
    const std::string_view column = reader.raw(head >> 1U);
    if (!reader.ok()) {
        return false;
    }
    if (!table.wants(name)) {
        return true;
    }
    std::size_t count = rows;
    if (sparse) {
        count = 0;
        for (std::size_t i = 0; i < rows; ++i) {
            count += bit_of(has, i) ? 1U : 0U;
        }
    }
    scratch.values.resize(count);
    if (count == 0 || !decode_doubles(column, scratch.values) ||
        !std::ranges::all_of(scratch.values, [](double value) { return std::isfinite(value); })) {
        return false;
    }
    MetricSamples& samples = table.metric(name);
    if (!sparse && clamped.empty()) {
        samples.values.insert(samples.values.end(), scratch.values.begin(), scratch.values.end());
        for (const std::int64_t time : scratch.times) {
            samples.times.push_back(hour_begin_ms + time);
        }
        samples.clamped.resize(samples.times.size(), 0);
        return true;
    }
    for (std::size_t i = 0, value = 0; i < rows; ++i) {
        if (!sparse || bit_of(has, i)) {
            samples.add(hour_begin_ms + scratch.times[i], scratch.values[value++],
                        !clamped.empty() && bit_of(clamped, i));
        }
    }
    return true;
}

}  // namespace

void encode_chunk(const SampleTable& table, std::int64_t hour_begin_ms, std::string& out) {
    const auto any_clamped = [](const MetricSamples& samples) {
        return std::ranges::any_of(samples.clamped, [](std::uint8_t clamped) { return clamped != 0; });
    };
    const auto has_samples = [](const MetricSamples& samples) { return !samples.times.empty(); };
    const std::vector<std::int64_t> rows = rows_of(table);
    MUSTER_ASSERT(!rows.empty() && rows.size() <= chunk_rows_max);
    const bool clamped = std::ranges::any_of(table.metrics(), any_clamped);
    begin_seal(out, chunk_version);
    write_varint(out, rows.size());
    write_varint(out, static_cast<std::uint64_t>(std::ranges::count_if(table.metrics(), has_samples)));
    out.push_back(static_cast<char>(clamped ? clamped_flag : 0));
    std::vector<std::int64_t> within(rows);
    for (std::int64_t& time : within) {
        time -= hour_begin_ms;
    }
    std::string column;
    encode_numbers(within, column);
    write_varint(out, column.size());
    out.append(column);
    if (clamped) {
        write_clamped(table, rows, out);
    }
    for (const MetricSamples& samples : table.metrics()) {
        if (has_samples(samples)) {
            write_metric(samples, rows, out);
        }
    }
    close_seal(out);
}

Result<std::uint32_t> decode_chunk(std::string_view bytes, std::int64_t hour_begin_ms, SampleTable& table) {
    const auto body = open_seal(bytes, chunk_version);
    if (!body) {
        return tl::unexpected(body.error());
    }
    static thread_local Scratch scratch;
    VarintReader reader(*body);
    const std::uint64_t rows = reader.varint();
    const std::uint64_t metrics = reader.varint();
    const std::uint8_t flags = reader.byte();
    const std::string_view times = reader.raw(reader.varint());
    if (!reader.ok() || rows == 0 || rows > chunk_rows_max || metrics == 0 || metrics > chunk_metrics_max ||
        flags > clamped_flag || rows * metrics > chunk_values_max) {
        return malformed_chunk();
    }
    scratch.times.resize(rows);
    if (!decode_numbers(times, scratch.times) || !are_rows(scratch.times)) {
        return malformed_chunk();
    }
    const std::string_view clamped = flags == 0 ? std::string_view{} : reader.raw(bitmap_bytes(rows));
    if (!reader.ok()) {
        return malformed_chunk();
    }
    for (std::uint64_t i = 0; i < metrics; ++i) {
        if (!read_metric(reader, rows, clamped, hour_begin_ms, scratch, table)) {
            return malformed_chunk();
        }
    }
    if (!reader.at_end()) {
        return malformed_chunk();
    }
    return static_cast<std::uint32_t>(rows);
}

std::uint32_t rows_of_chunk(std::string_view bytes) {
    if (bytes.size() <= seal_bytes || static_cast<std::uint8_t>(bytes[0]) != chunk_version) {
        return 0;
    }
    VarintReader reader(bytes.substr(seal_bytes));
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(reader.varint(), chunk_rows_max));
}

}  // namespace muster
