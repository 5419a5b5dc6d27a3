#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "history/history_store.h"

namespace muster {

// What every implementation of the HistoryStore port must do. A test program of an implementation includes this header
// and says
//   INSTANTIATE_TEST_SUITE_P(Timescale, HistoryStoreConformance, ::testing::Values([] { return std::make_unique<…>();
//   }));

/// One implementation with its server or directory, as the suite needs it.
class HistoryStoreUnderTest {
 public:
    virtual ~HistoryStoreUnderTest() = default;
    [[nodiscard]] virtual HistoryStore& store() = 0;
    /// Ends the store and starts it again on what it stored.
    virtual void restart() = 0;
};

using HistoryStoreFactory = std::function<std::unique_ptr<HistoryStoreUnderTest>()>;

class HistoryStoreConformance : public ::testing::TestWithParam<HistoryStoreFactory> {
 protected:
    using Metrics = std::vector<std::pair<std::string_view, double>>;

    void SetUp() override { under_test_ = GetParam()(); }

    HistoryStore& store() { return under_test_->store(); }
    void restart() { under_test_->restart(); }

    /// Noon of a day, so that a test stays within it.
    static Timestamp at(std::int64_t ms) { return from_epoch_ms(1'700'049'600'000 + ms); }

    void append(std::string_view device, Timestamp time, const Metrics& metrics) {
        const Sample sample{device, time, metrics};
        const auto appended = store().append({&sample, 1});
        ASSERT_TRUE(appended) << appended.error().message();
    }

    HistoryResult query(const std::string& device, Timestamp from, Timestamp to, std::size_t points_max = 500,
                        std::vector<std::string> metrics = {}) {
        auto result = store().query({device, from, to, std::move(metrics), points_max});
        EXPECT_TRUE(result) << (result ? "" : result.error().message());
        return result ? std::move(*result) : HistoryResult{};
    }

    /// The samples of one metric when they are few enough not to be drawn together.
    std::map<std::int64_t, double> raw(const std::string& device, const std::string& metric, Timestamp from,
                                       Timestamp to) {
        std::map<std::int64_t, double> values;
        for (const HistorySeries& series : query(device, from, to, 10'000, {metric}).series) {
            EXPECT_EQ(series.metric, metric);
            for (const HistoryPoint& point : series.points) {
                EXPECT_EQ(point.samples, 1U);
                values[to_epoch_ms(point.time)] = point.average;
            }
        }
        return values;
    }

    static Transition transition(Timestamp time, std::int64_t offset, PresenceState state = PresenceState::offline) {
        Transition made;
        made.time = time;
        made.state = state;
        made.cause = Cause::will;
        made.overlays = static_cast<Overlays>(Overlay::flapping);
        made.epoch = (1ULL << 40U) + 7;
        made.gateway = "gw-1";
        made.detected_in_ms = 15;
        made.offset = offset;
        return made;
    }

    std::unique_ptr<HistoryStoreUnderTest> under_test_;
};

TEST_P(HistoryStoreConformance, samples_come_out_as_they_went_in) {
    append("d1", at(0), {{"temp", 20.5}, {"battery", 3.3}});
    append("d1", at(1000), {{"temp", -1e300}});
    const HistoryResult result = query("d1", at(0), at(2000));
    EXPECT_EQ(result.resolution, "raw");
    ASSERT_EQ(result.series.size(), 2U);
    EXPECT_EQ(result.series[0].metric, "battery");
    ASSERT_EQ(result.series[1].points.size(), 2U);
    const HistoryPoint& point = result.series[1].points[0];
    EXPECT_EQ(point.time, at(0));
    EXPECT_EQ(point.average, 20.5);
    EXPECT_EQ(point.minimum, 20.5);
    EXPECT_EQ(point.maximum, 20.5);
    EXPECT_EQ(point.samples, 1U);
    EXPECT_EQ(result.series[1].points[1].average, -1e300);
}

TEST_P(HistoryStoreConformance, a_range_has_its_beginning_and_not_its_end) {
    for (const int ms : {0, 1000, 2000}) {
        append("d1", at(ms), {{"temp", ms}});
    }
    EXPECT_EQ(raw("d1", "temp", at(0), at(2000)).size(), 2U);
    EXPECT_EQ(raw("d1", "temp", at(1), at(2001)).size(), 2U);
    EXPECT_TRUE(raw("d1", "temp", at(1), at(1)).empty());
    EXPECT_FALSE(store().query({"d1", at(2), at(1), {}, 500}));
}

TEST_P(HistoryStoreConformance, the_same_sample_again_leaves_one_and_the_last_value_counts) {
    append("d1", at(0), {{"temp", 1}, {"load", 5}});
    append("d1", at(0), {{"temp", 2}, {"battery", 3}});
    const HistoryResult result = query("d1", at(0), at(1));
    ASSERT_EQ(result.series.size(), 3U);
    for (const HistorySeries& series : result.series) {
        ASSERT_EQ(series.points.size(), 1U);
        EXPECT_EQ(series.points[0].average, series.metric == "temp" ? 2 : series.metric == "load" ? 5 : 3);
    }
}

TEST_P(HistoryStoreConformance, devices_whose_names_begin_alike_are_apart) {
    append("d1", at(0), {{"temp", 1}});
    append("d10", at(0), {{"temp", 10}});
    append("d1.a", at(0), {{"temp", 11}});
    EXPECT_EQ(raw("d1", "temp", at(-1000), at(1000)), (std::map<std::int64_t, double>{{to_epoch_ms(at(0)), 1}}));
    EXPECT_TRUE(query("d", at(-1000), at(1000)).series.empty());
}

TEST_P(HistoryStoreConformance, late_samples_take_their_place) {
    append("d1", at(2000), {{"temp", 2}});
    append("d1", at(1000), {{"temp", 1}});
    const HistoryResult result = query("d1", at(0), at(3000));
    ASSERT_EQ(result.series.size(), 1U);
    ASSERT_EQ(result.series[0].points.size(), 2U);
    EXPECT_EQ(result.series[0].points[0].time, at(1000));
}

TEST_P(HistoryStoreConformance, what_is_no_number_is_left_out) {
    append("d1", at(0), {{"temp", std::numeric_limits<double>::quiet_NaN()}, {"load", 1}});
    append("d1", at(1), {{"temp", std::numeric_limits<double>::infinity()}});
    const HistoryResult result = query("d1", at(0), at(10));
    ASSERT_EQ(result.series.size(), 1U);
    EXPECT_EQ(result.series[0].metric, "load");
}

TEST_P(HistoryStoreConformance, many_samples_are_drawn_into_few_points_that_keep_the_extremes) {
    std::vector<std::vector<std::pair<std::string_view, double>>> values;
    std::vector<Sample> samples;
    values.reserve(5000);
    for (int i = 0; i < 5000; ++i) {
        values.push_back({{"temp", i == 1234 ? 1000.0 : i == 4321 ? -1000.0 : i % 10}});
        samples.push_back({"d1", at(i * 100), values.back()});
    }
    ASSERT_TRUE(store().append(samples));
    const HistoryResult result = query("d1", at(0), at(500'000), 50);
    ASSERT_EQ(result.series.size(), 1U);
    const auto& points = result.series[0].points;
    EXPECT_LE(points.size(), 50U);
    EXPECT_GE(points.size(), 25U);
    double minimum = 0;
    double maximum = 0;
    std::uint32_t count = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        EXPECT_TRUE(i == 0 || points[i - 1].time < points[i].time);
        EXPECT_LE(points[i].minimum, points[i].average);
        EXPECT_GE(points[i].maximum, points[i].average);
        minimum = std::min(minimum, points[i].minimum);
        maximum = std::max(maximum, points[i].maximum);
        count += points[i].samples;
    }
    EXPECT_EQ(minimum, -1000);
    EXPECT_EQ(maximum, 1000);
    EXPECT_EQ(count, 5000U);
}

TEST_P(HistoryStoreConformance, gaps_are_gaps) {
    for (int i = 0; i < 1000; ++i) {
        append("d1", at(i * 10), {{"temp", 1}});
        append("d1", at(1'000'000 + i * 10), {{"temp", 1}});
    }
    const HistoryResult result = query("d1", at(0), at(1'010'000), 100);
    ASSERT_EQ(result.series.size(), 1U);
    EXPECT_LE(result.series[0].points.size(), 6U);
}

TEST_P(HistoryStoreConformance, buckets_say_how_complete_they_are) {
    for (int i = 0; i < 400; ++i) {
        if (i < 100 || i >= 150) {
            append("d1", at(i * 1000), {{"temp", i}});
        }
    }
    const auto asked = store().query({"d1", at(0), at(400'000), {}, 4, Resolution::raw});
    ASSERT_TRUE(asked) << asked.error().message();
    const HistoryResult& result = *asked;
    ASSERT_EQ(result.series.size(), 1U);
    ASSERT_EQ(result.series[0].points.size(), 4U);
    EXPECT_EQ(result.step, Millis(100'000));
    EXPECT_FLOAT_EQ(result.series[0].points[0].completeness, 1);
    EXPECT_FLOAT_EQ(result.series[0].points[1].completeness, 0.5);
    EXPECT_FLOAT_EQ(result.series[0].completeness, 350.0F / 400);
    EXPECT_EQ(result.damaged_chunks, 0U);
}

TEST_P(HistoryStoreConformance, a_sample_under_its_time_of_receipt_says_so) {
    const Metrics metrics{{"temp", 1}};
    const Sample clamped{"d1", at(0), metrics, true};
    ASSERT_TRUE(store().append({&clamped, 1}));
    append("d1", at(1000), metrics);
    const HistoryResult result = query("d1", at(0), at(2000));
    ASSERT_EQ(result.series.at(0).points.size(), 2U);
    EXPECT_EQ(result.series[0].points[0].time_clamped, 1U);
    EXPECT_EQ(result.series[0].points[1].time_clamped, 0U);
}

TEST_P(HistoryStoreConformance, minutes_and_hours_are_those_of_the_samples) {
    for (int i = 0; i < 240; ++i) {
        append("d1", at(i * 30'000), {{"temp", i % 10}});
    }
    HistoryQuery asked{"d1", at(0), at(7'200'000), {}, 500, Resolution::minute};
    const auto minutes = store().query(asked);
    ASSERT_TRUE(minutes);
    EXPECT_EQ(minutes->resolution, "1m");
    ASSERT_EQ(minutes->series.at(0).points.size(), 120U);
    EXPECT_EQ(minutes->series[0].points[1].time, at(60'000));
    EXPECT_EQ(minutes->series[0].points[1].average, 2.5);
    EXPECT_EQ(minutes->series[0].points[1].samples, 2U);
    EXPECT_FLOAT_EQ(minutes->series[0].points[1].completeness, 1);
    asked.resolution = Resolution::hour;
    const auto hours = store().query(asked);
    ASSERT_TRUE(hours);
    EXPECT_EQ(hours->resolution, "1h");
    ASSERT_EQ(hours->series.at(0).points.size(), 2U);
    EXPECT_EQ(hours->series[0].points[0].maximum, 9);
    EXPECT_EQ(hours->series[0].points[0].samples, 120U);
}

TEST_P(HistoryStoreConformance, the_resolution_follows_from_the_width_of_a_point) {
    append("d1", at(0), {{"temp", 1}});
    append("d1", at(3 * 86'400'000LL), {{"temp", 2}});
    EXPECT_EQ(query("d1", at(0), at(3'600'000), 500).resolution, "raw");
    EXPECT_EQ(query("d1", at(0), at(86'400'000), 500).resolution, "1m");
    EXPECT_EQ(query("d1", at(0), at(3 * 86'400'000LL), 50).resolution, "1h");
    EXPECT_EQ(query("d1", at(0), at(3 * 86'400'000LL), 10'000).resolution, "raw");
}

TEST_P(HistoryStoreConformance, a_group_is_the_average_of_its_devices_by_minute) {
    for (int i = 0; i < 4; ++i) {
        append("a", at(i * 15'000), {{"temp", 10}});  // four times as often
    }
    append("b", at(30'000), {{"temp", 20}, {"load", 1}});
    append("b", at(90'000), {{"temp", 30}});
    append("c", at(0), {{"temp", 1000}});
    const std::vector<std::string> devices{"b", "a", "none", "a"};
    const auto series = store().fleet_series({devices, "temp", at(0), at(600'000)});
    ASSERT_TRUE(series) << series.error().message();
    EXPECT_EQ(series->step, Millis(60'000));
    ASSERT_EQ(series->points.size(), 2U);
    EXPECT_EQ(series->points[0].time, at(0));
    EXPECT_EQ(series->points[0].average, 15);
    EXPECT_EQ(series->points[0].minimum, 10);
    EXPECT_EQ(series->points[0].maximum, 20);
    EXPECT_EQ(series->points[0].samples, 5U);
    EXPECT_EQ(series->points[0].devices, 2U);
    EXPECT_EQ(series->points[1].devices, 1U);
    EXPECT_FALSE(store().fleet_series({devices, "temp", at(0), at(1), 0}));
}

TEST_P(HistoryStoreConformance, those_whose_metric_changed_most_come_first) {
    const std::vector<std::pair<std::string, double>> changes{{"a", 5}, {"b", -9}, {"c", 1}, {"d", 7}};
    for (const auto& [device, change] : changes) {
        append(device, at(0), {{"temp", 100}});
        append(device, at(60'000), {{"temp", 50}});
        append(device, at(120'000), {{"temp", 100 + change}});
    }
    append("e", at(0), {{"load", 1}});
    const auto names = [](const Result<TopResult>& result) {
        std::vector<std::string> devices;
        for (const MetricChange& one : result ? result->changes : std::vector<MetricChange>{}) {
            devices.push_back(one.device);
        }
        return devices;
    };
    TopQuery asked{{}, "temp", at(0), at(600'000), 3, ChangeOrder::largest};
    const auto largest = store().top(asked);
    ASSERT_TRUE(largest) << largest.error().message();
    EXPECT_EQ(names(largest), (std::vector<std::string>{"b", "d", "a"}));
    EXPECT_EQ(largest->devices, 4U);
    EXPECT_EQ(largest->changes[0].first, 100);
    EXPECT_EQ(largest->changes[0].last, 91);
    EXPECT_EQ(largest->changes[0].minimum, 50);
    EXPECT_EQ(largest->changes[0].samples, 3U);
    asked.order = ChangeOrder::rise;
    EXPECT_EQ(names(store().top(asked)), (std::vector<std::string>{"d", "a", "c"}));
    asked.order = ChangeOrder::fall;
    const std::vector<std::string> some{"a", "c", "d"};
    asked.devices = some;
    EXPECT_EQ(names(store().top(asked)), (std::vector<std::string>{"c", "a", "d"}));
}

TEST_P(HistoryStoreConformance, a_scan_gives_every_sample_once_in_order) {
    append("b", at(86'400'000), {{"temp", 3}});
    append("b", at(1000), {{"temp", 2}, {"load", 1}});
    append("a", at(5000), {{"temp", 1}});
    append("a.1", at(0), {{"temp", 4}});
    ASSERT_TRUE(store().checkpoint());
    append("b", at(1000), {{"temp", 2}});
    std::vector<std::string> seen;
    const auto visit = [&](const Sample& sample) {
        std::string line = std::string(sample.device) + "@" + std::to_string((sample.time - at(0)).count());
        for (const auto& [name, value] : sample.metrics) {
            line += " " + std::string(name) + "=" + std::to_string(static_cast<int>(value));
        }
        seen.push_back(line);
        return seen.size() < 4;
    };
    const auto all = store().scan({}, visit);
    ASSERT_TRUE(all) << all.error().message();
    EXPECT_EQ(seen,
              (std::vector<std::string>{"a@5000 temp=1", "a.1@0 temp=4", "b@1000 load=1 temp=2", "b@86400000 temp=3"}));
    EXPECT_EQ(all->samples, 4U);
    EXPECT_EQ(all->devices, 3U);
    seen.clear();
    ASSERT_TRUE(store().scan({.device = {}, .from = at(0), .to = at(2000), .after_device = "a"}, visit));
    EXPECT_EQ(seen, (std::vector<std::string>{"a.1@0 temp=4", "b@1000 load=1 temp=2"}));
    seen.clear();
    ASSERT_TRUE(store().scan({.device = "a", .from = at(0), .after_device = {}}, visit));
    EXPECT_EQ(seen.size(), 1U);
}

TEST_P(HistoryStoreConformance, points_out_of_range_are_refused) {
    EXPECT_FALSE(store().query({"d1", at(0), at(1), {}, 0}));
    EXPECT_FALSE(store().query({"d1", at(0), at(1), {}, 10'001}));
    EXPECT_FALSE(store().transitions("d1", at(0), at(1), 0));
}

TEST_P(HistoryStoreConformance, transitions_come_newest_first_and_a_replayed_one_is_one) {
    const Transition first = transition(at(0), 1);
    const Transition second = transition(at(0), 2, PresenceState::online);
    const Transition third = transition(at(5000), 9, PresenceState::unknown);
    for (const Transition& one : {first, second, third, second}) {
        ASSERT_TRUE(store().append_transition("d1", one));
    }
    ASSERT_TRUE(store().append_transition("d10", third));
    const auto all = store().transitions("d1", at(0), at(6000), 10);
    ASSERT_TRUE(all);
    ASSERT_EQ(all->size(), 3U);
    EXPECT_EQ((*all)[0].state, PresenceState::unknown);
    EXPECT_EQ((*all)[1].offset, 2);
    const Transition& last = (*all)[2];
    EXPECT_EQ(last.time, first.time);
    EXPECT_EQ(last.cause, Cause::will);
    EXPECT_EQ(last.overlays, first.overlays);
    EXPECT_EQ(last.epoch, first.epoch);
    EXPECT_EQ(last.gateway, "gw-1");
    EXPECT_EQ(last.detected_in_ms, 15);
    EXPECT_EQ(store().transitions("d1", at(0), at(5000), 10)->size(), 2U);
    EXPECT_EQ(store().transitions("d1", at(0), at(6000), 1)->size(), 1U);
    EXPECT_TRUE(store().transitions("d2", at(0), at(6000), 10)->empty());
}

TEST_P(HistoryStoreConformance, what_was_checkpointed_is_there_after_a_restart) {
    append("d1", at(0), {{"temp", 20.5}});
    ASSERT_TRUE(store().append_transition("d1", transition(at(0), 1)));
    ASSERT_TRUE(store().checkpoint());
    restart();
    EXPECT_EQ(raw("d1", "temp", at(0), at(1)).size(), 1U);
    EXPECT_EQ(store().transitions("d1", at(0), at(1), 10)->size(), 1U);
}

TEST_P(HistoryStoreConformance, it_agrees_with_a_plain_map_whatever_happens) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        SCOPED_TRACE(::testing::Message() << "seed " << seed);
        SetUp();
        Random random(seed);
        const std::vector<std::string> devices{"a", "a.b", "ab", "b"};
        const std::vector<std::string> metrics{"temp", "battery", "load"};
        std::map<std::pair<std::string, std::string>, std::map<std::int64_t, double>> model;
        constexpr std::int64_t range_ms = 3 * 86'400'000LL;
        for (int step = 0; step < 100; ++step) {
            std::vector<Metrics> values(1 + random.below(50));
            std::vector<Sample> samples;
            for (Metrics& some : values) {
                const std::string& device = devices[random.below(devices.size())];
                // Coarse, so that times meet.
                const Timestamp time = at(static_cast<std::int64_t>(random.below(range_ms / 600'000)) * 600'000);
                for (const std::string& metric : metrics) {
                    if (random.chance(0.6)) {
                        some.emplace_back(metric, random.normal());
                        model[{device, metric}][to_epoch_ms(time)] = some.back().second;
                    }
                }
                samples.push_back({device, time, some});
            }
            ASSERT_TRUE(store().append(samples));
            if (random.chance(0.05)) {
                ASSERT_TRUE(store().checkpoint());
                restart();
            }
            const std::string& device = devices[random.below(devices.size())];
            const std::string& metric = metrics[random.below(metrics.size())];
            const auto from = static_cast<std::int64_t>(random.below(range_ms));
            const auto to = from + static_cast<std::int64_t>(random.below(range_ms));
            const auto& expected = model[{device, metric}];
            EXPECT_EQ(raw(device, metric, at(from), at(to)),
                      (std::map<std::int64_t, double>(expected.lower_bound(to_epoch_ms(at(from))),
                                                      expected.lower_bound(to_epoch_ms(at(to))))));
        }
    }
}

}  // namespace muster
