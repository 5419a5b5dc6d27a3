#include "history/history_chunk.h"

#include <bit>
#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"
#include "history/column_codec.h"
#include "history/known_shapes.h"
#include "history/open_rows.h"
#include "history/rollup_chunk.h"

namespace muster {
namespace {

constexpr std::int64_t hour_begin = 1'700'049'600'000 / 3'600'000 * 3'600'000;

std::vector<std::int64_t> there_and_back(const std::vector<std::int64_t>& numbers, std::size_t* bytes = nullptr) {
    std::string packed;
    encode_numbers(numbers, packed);
    if (bytes != nullptr) {
        *bytes = packed.size();
    }
    std::vector<std::int64_t> read(numbers.size());
    const auto decoded = decode_numbers(packed, read);
    EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().message());
    return read;
}

std::vector<double> there_and_back(const std::vector<double>& values, std::size_t* bytes = nullptr) {
    std::string packed;
    encode_doubles(values, packed);
    if (bytes != nullptr) {
        *bytes = packed.size();
    }
    std::vector<double> read(values.size());
    const auto decoded = decode_doubles(packed, read);
    EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().message());
    return read;
}

TEST(ColumnCodec, numbers_of_every_kind_come_back) {
    Random random(1);
    std::vector<std::vector<std::int64_t>> columns{
        {7}, {0, 0, 0}, {INT64_MIN, INT64_MAX, INT64_MIN, 0}, {1, 2}, {5, 5, 5, 5, 9, 9, 9, 9, 9, 9, -3}};
    for (int shift = 1; shift < 64; ++shift) {
        std::vector<std::int64_t> random_ones;
        std::vector<std::int64_t> walk;
        std::int64_t at = 0;
        for (int i = 0; i < 200; ++i) {
            const auto number = static_cast<std::int64_t>(random.next() >> static_cast<unsigned>(shift));
            random_ones.push_back(random.chance(0.5) ? number : -number);
            at = random.chance(0.9) ? at : number;
            walk.push_back(at);
        }
        columns.push_back(random_ones);
        columns.push_back(walk);
    }
    for (const auto& column : columns) {
        EXPECT_EQ(there_and_back(column), column);
    }
}

TEST(ColumnCodec, a_steady_column_takes_a_few_bytes) {
    std::vector<std::int64_t> times;
    for (std::int64_t i = 0; i < 1000; ++i) {
        times.push_back(1234 + 30'000 * i);
    }
    std::size_t bytes = 0;
    EXPECT_EQ(there_and_back(times, &bytes), times);
    EXPECT_LT(bytes, 200U) << "a bit each";
    std::vector<std::int64_t> steps(1000, 330);
    std::fill(steps.begin() + 500, steps.end(), 329);
    EXPECT_EQ(there_and_back(steps, &bytes), steps);
    EXPECT_LT(bytes, 16U);
}

TEST(ColumnCodec, doubles_come_back_bit_for_bit) {
    Random random(2);
    std::vector<std::vector<double>> columns{{0.0},
                                             {-0.0, 0.0},
                                             {1e300, -1e300, 5e-324},
                                             {0.1, 0.2, 0.30000000000000004},
                                             {20.5, 20.6, 20.55},
                                             {1e15, 0.125},
                                             {123456789012.0, 0.000000000001}};
    for (unsigned decimals = 0; decimals <= decimals_max; ++decimals) {
        std::vector<double> scaled_ones;
        for (int i = 0; i < 200; ++i) {
            scaled_ones.push_back(unscaled(static_cast<std::int64_t>(random.below(1'000'000)) - 500'000, decimals));
        }
        columns.push_back(scaled_ones);
    }
    std::vector<double> anything;
    while (anything.size() < 500) {
        const double value = std::bit_cast<double>(random.next());
        if (std::isfinite(value)) {
            anything.push_back(value);
        }
    }
    columns.push_back(anything);
    for (const auto& column : columns) {
        const auto read = there_and_back(column);
        for (std::size_t i = 0; i < column.size(); ++i) {
            EXPECT_EQ(std::bit_cast<std::uint64_t>(read[i]), std::bit_cast<std::uint64_t>(column[i])) << column[i];
        }
    }
}

TEST(ColumnCodec, decimals_are_smaller_than_xor_where_they_fit) {
    Random random(3);
    std::vector<double> values;
    std::int64_t tenths = 205;
    for (int i = 0; i < 120; ++i) {
        tenths += static_cast<std::int64_t>(random.below(3)) - 1;
        values.push_back(unscaled(tenths, 1));
    }
    std::size_t bytes = 0;
    EXPECT_EQ(there_and_back(values, &bytes), values);
    EXPECT_LT(bytes, 40U);
}

/// Rows as a device would send them.
class Rows {
 public:
    using Metrics = std::vector<std::pair<std::string_view, double>>;

    bool append(std::int64_t time, const Metrics& metrics, bool clamped = false) {
        return rows_.append(time, metrics, clamped);
    }
    SampleTable table() {
        SampleTable read;
        const auto count = read_rows(rows_.bytes(), hour_begin, read);
        EXPECT_TRUE(count);
        EXPECT_EQ(count.value_or(0), rows_.samples());
        read.fold();
        return read;
    }
    OpenRows& rows() { return rows_; }

 private:
    OpenRows rows_;
};

TEST(OpenRows, rows_come_back_in_whatever_order_and_shape_they_came) {
    Rows rows;
    EXPECT_TRUE(rows.append(60'000, {{"temp", 20.5}, {"battery", 3.31}}));
    EXPECT_TRUE(rows.append(30'000, {{"temp", 1.0 / 3}}, true));
    EXPECT_TRUE(rows.append(90'000, {{"temp", 20.25}, {"battery", -3}}));
    EXPECT_TRUE(rows.append(90'000, {{"temp", 7}}));
    SampleTable table = rows.table();
    ASSERT_EQ(table.metrics().size(), 2U);
    EXPECT_EQ(table.metrics()[0].name, "battery");
    EXPECT_EQ(table.metrics()[0].values, (std::vector<double>{3.31, -3}));
    const MetricSamples& temp = table.metrics()[1];
    EXPECT_EQ(temp.times, (std::vector<std::int64_t>{hour_begin + 30'000, hour_begin + 60'000, hour_begin + 90'000}));
    EXPECT_EQ(temp.values, (std::vector<double>{1.0 / 3, 20.5, 7})) << "the last of two at one time counts";
    EXPECT_EQ(temp.clamped, (std::vector<std::uint8_t>{1, 0, 0}));
}

TEST(OpenRows, restored_rows_go_on_where_they_ended) {
    Rows whole;
    Rows before;
    for (int i = 0; i < 100; ++i) {
        const Rows::Metrics metrics =
            i % 3 == 0 ? Rows::Metrics{{"a", i * 0.1}} : Rows::Metrics{{"a", i * 0.1}, {"b", i}};
        whole.append(i * 1000, metrics);
        if (i < 50) {
            before.append(i * 1000, metrics);
        }
    }
    Rows after;
    after.rows().restore(before.rows().bytes().substr(0, 100));
    after.rows().restore(before.rows().bytes().substr(100));
    ASSERT_TRUE(after.rows().resume());
    for (int i = 50; i < 100; ++i) {
        after.append(i * 1000, i % 3 == 0 ? Rows::Metrics{{"a", i * 0.1}} : Rows::Metrics{{"a", i * 0.1}, {"b", i}});
    }
    EXPECT_EQ(after.rows().bytes(), whole.rows().bytes());
    after.rows().restore("\xff\xff");
    EXPECT_FALSE(after.rows().resume());
    EXPECT_EQ(after.rows().samples(), 0U);
}

TEST(OpenRows, names_known_by_number_change_no_byte) {
    OpenRows known;
    OpenRows unknown;
    KnownShapes shapes;
    Random random(5);
    for (int i = 0; i < 500; ++i) {
        const double value = static_cast<double>(i) * 0.1;
        const Rows::Metrics all[] = {{{"a", value}}, {{"a", value}, {"b", i}}, {{"b", i}, {"a", value}}};
        const Rows::Metrics& metrics = all[random.below(3)];
        // Some rows come whose names nobody asked for, as after a start.
        ASSERT_TRUE(known.append(i, metrics, false, random.chance(0.2) ? 0 : shapes.number_of(metrics)));
        ASSERT_TRUE(unknown.append(i, metrics, false));
        if (i == 250) {
            ASSERT_TRUE(known.resume());
        }
    }
    EXPECT_EQ(known.bytes(), unknown.bytes());
    SampleTable table;
    EXPECT_EQ(read_rows(known.bytes(), hour_begin, table).value_or(0), 500U);
}

TEST(OpenRows, a_row_of_many_metrics_comes_back) {
    OpenRows rows;
    std::vector<std::string> names;
    Rows::Metrics metrics;
    Random random(6);
    for (std::size_t i = 0; i < 300; ++i) {
        names.push_back("metric-" + std::to_string(i));
    }
    for (const std::string& name : names) {
        metrics.emplace_back(name, random.chance(0.5) ? random.normal() : unscaled(INT64_MAX >> 13U, 3));
    }
    ASSERT_TRUE(rows.append(0, metrics, false));
    ASSERT_TRUE(rows.append(1, metrics, false));
    SampleTable table;
    ASSERT_TRUE(read_rows(rows.bytes(), hour_begin, table));
    ASSERT_EQ(table.metrics().size(), names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        EXPECT_EQ(table.metrics()[i].name, names[i]);
        EXPECT_EQ(table.metrics()[i].values, (std::vector<double>{metrics[i].second, metrics[i].second}));
    }
}

TEST(OpenRows, too_many_shapes_are_refused) {
    Rows rows;
    std::vector<std::string> names;
    for (std::size_t i = 0; i <= row_shapes_max; ++i) {
        names.push_back("m" + std::to_string(i));
    }
    for (std::size_t i = 0; i < row_shapes_max; ++i) {
        EXPECT_TRUE(rows.append(static_cast<std::int64_t>(i), {{names[i], 1}}));
    }
    EXPECT_FALSE(rows.append(99, {{names.back(), 1}}));
    EXPECT_TRUE(rows.append(99, {{names[0], 1}}));
    EXPECT_EQ(rows.table().metrics().size(), row_shapes_max);
}

TEST(OpenRows, a_usual_hour_of_four_metrics_takes_little_memory) {
    Random random(4);
    Rows rows;
    std::int64_t temp = 205;
    for (int i = 0; i < 120; ++i) {
        temp += static_cast<std::int64_t>(random.below(3)) - 1;
        rows.append(i * 30'000 + static_cast<std::int64_t>(random.below(40)),
                    {{"temp", unscaled(temp, 1)},
                     {"battery", unscaled(330 - i / 40, 2)},
                     {"rssi", -70 + static_cast<double>(random.below(8))},
                     {"load", unscaled(static_cast<std::int64_t>(random.below(20)), 2)}});
    }
    EXPECT_LT(rows.rows().memory_bytes(), 1300U);
}

SampleTable some_table(std::uint64_t seed) {
    Random random(seed);
    SampleTable table;
    const std::vector<std::string> names{"battery", "load", "temp", "x"};
    for (const std::string& name : names) {
        const double share = random.uniform();
        MetricSamples& samples = table.metric(name);
        for (std::int64_t i = 0; i < 120; ++i) {
            if (random.chance(share)) {
                samples.add(
                    hour_begin + i * 30'000 + static_cast<std::int64_t>(random.below(1000)),
                    random.chance(0.99) ? unscaled(static_cast<std::int64_t>(random.below(100)), 1) : random.normal(),
                    seed % 3 == 0 && random.chance(0.1));
            }
        }
    }
    table.metric("aa").add(hour_begin, 1, false);
    table.fold();
    return table;
}

TEST(HistoryChunk, what_is_sealed_comes_back) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        SCOPED_TRACE(seed);
        const SampleTable table = some_table(seed);
        std::string packed;
        encode_chunk(table, hour_begin, packed);
        SampleTable read;
        const auto rows = decode_chunk(packed, hour_begin, read);
        ASSERT_TRUE(rows) << rows.error().message();
        EXPECT_EQ(*rows, rows_of_chunk(packed));
        for (const MetricSamples& samples : table.metrics()) {
            MetricSamples& same = read.metric(samples.name);
            EXPECT_EQ(same.times, samples.times);
            EXPECT_EQ(same.values, samples.values);
        }
        EXPECT_EQ(read.values(), table.values());
    }
}

TEST(HistoryChunk, only_the_metrics_asked_for_are_decoded) {
    std::string packed;
    encode_chunk(some_table(1), hour_begin, packed);
    const std::vector<std::string> wanted{"temp"};
    SampleTable read(wanted);
    ASSERT_TRUE(decode_chunk(packed, hour_begin, read));
    ASSERT_EQ(read.metrics().size(), 1U);
    EXPECT_EQ(read.metrics()[0].name, "temp");
}

TEST(HistoryChunk, every_flipped_bit_and_every_cut_is_noticed) {
    std::string packed;
    encode_chunk(some_table(2), hour_begin, packed);
    for (std::size_t at = 0; at < packed.size(); ++at) {
        std::string damaged = packed;
        damaged[at] = static_cast<char>(static_cast<std::uint8_t>(damaged[at]) ^ (1U << (at % 8)));
        SampleTable read;
        EXPECT_FALSE(decode_chunk(damaged, hour_begin, read)) << "byte " << at;
        EXPECT_FALSE(decode_chunk(packed.substr(0, at), hour_begin, read)) << "cut at " << at;
    }
}

TEST(RollupChunk, rollups_come_back_and_hours_are_those_of_their_minutes) {
    Random random(5);
    constexpr std::int64_t day_begin = 1'700'006'400'000;
    SampleTable table;
    for (std::int64_t i = 0; i < 2880; ++i) {
        if (i < 1000 || i > 1500) {
            table.metric("temp").add(day_begin + i * 30'000, unscaled(static_cast<std::int64_t>(i % 77), 1), false);
            table.metric("wild").add(day_begin + i * 30'000, random.normal(), false);
        }
    }
    table.fold();
    const auto minutes = roll_up(table, 60'000);
    const auto hours = roll_up(table, 3'600'000);
    const auto from_minutes = roll_up(minutes, 3'600'000);
    ASSERT_EQ(hours.size(), 2U);
    EXPECT_EQ(hours[0].interval_ms, 30'000);
    for (const auto& [rollups, slot_ms] :
         {std::pair{minutes, std::int64_t{60'000}}, std::pair{hours, std::int64_t{3'600'000}}}) {
        std::string packed;
        encode_rollups(rollups, day_begin, slot_ms, packed);
        const auto read = decode_rollups(packed, day_begin, slot_ms, {});
        ASSERT_TRUE(read) << read.error().message();
        ASSERT_EQ(read->size(), rollups.size());
        for (std::size_t m = 0; m < rollups.size(); ++m) {
            ASSERT_EQ((*read)[m].slots.size(), rollups[m].slots.size());
            for (std::size_t i = 0; i < rollups[m].slots.size(); ++i) {
                const Rollup& wrote = rollups[m].slots[i];
                const Rollup& got = (*read)[m].slots[i];
                EXPECT_EQ(got.time, wrote.time);
                EXPECT_EQ(got.samples, wrote.samples);
                EXPECT_EQ(got.minimum, wrote.minimum);
                EXPECT_EQ(got.maximum, wrote.maximum);
                EXPECT_NEAR(got.sum, wrote.sum, 1e-9);
            }
        }
        packed[packed.size() / 2] = static_cast<char>(packed[packed.size() / 2] ^ 1);
        EXPECT_EQ(decode_rollups(packed, day_begin, slot_ms, {}).error().code, ErrorCode::corrupt);
    }
    for (std::size_t m = 0; m < hours.size(); ++m) {
        for (std::size_t i = 0; i < hours[m].slots.size(); ++i) {
            EXPECT_EQ(hours[m].slots[i].samples, from_minutes[m].slots[i].samples);
            EXPECT_NEAR(hours[m].slots[i].sum, from_minutes[m].slots[i].sum, 1e-9);
        }
    }
}

}  // namespace
}  // namespace muster
