#include "history/embedded_history_store.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "history/chunk_key.h"
#include "history/history_store_conformance.h"
#include "history/series_builder.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

class EmbeddedUnderTest final : public HistoryStoreUnderTest {
 public:
    EmbeddedUnderTest() { start(); }
    HistoryStore& store() override { return *store_; }
    void restart() override {
        store_.reset();
        start();
    }

 private:
    void start() {
        auto opened = EmbeddedHistoryStore::open({.directory = directory_.path() + "/history"}, metrics_);
        ASSERT_TRUE(opened) << opened.error().message();
        store_ = std::move(*opened);
    }

    ScratchDirectory directory_;
    MetricRegistry metrics_;
    std::unique_ptr<EmbeddedHistoryStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Embedded, HistoryStoreConformance,
                         ::testing::Values([] { return std::make_unique<EmbeddedUnderTest>(); }));

class EmbeddedHistory : public ::testing::Test {
 protected:
    static constexpr std::int64_t day_ms = 86'400'000;

    EmbeddedHistory() { open(); }

    void open() {
        store_.reset();
        auto opened = EmbeddedHistoryStore::open({.directory = directory_.path(), .raw_days = 7}, metrics_);
        ASSERT_TRUE(opened) << opened.error().message();
        store_ = std::move(*opened);
    }
    void append(std::int64_t time_ms) {
        const std::pair<std::string_view, double> metrics[] = {{"temp", 1}};
        const Sample sample{"d1", from_epoch_ms(time_ms), metrics};
        ASSERT_TRUE(store_->append({&sample, 1}));
    }
    std::size_t samples() {
        const auto result = store_->query({"d1", from_epoch_ms(0), Timestamp::max(), {}, 1000, Resolution::raw});
        EXPECT_TRUE(result);
        return result && !result->series.empty() ? result->series[0].points.size() : 0;
    }
    bool has_metric(const std::string& line) { return metrics_.render().find("\n" + line + "\n") != std::string::npos; }

    ScratchDirectory directory_;
    MetricRegistry metrics_;
    std::unique_ptr<EmbeddedHistoryStore> store_;
};

TEST_F(EmbeddedHistory, a_day_is_dropped_whole_when_newer_samples_say_that_it_is_old) {
    for (int day = 100; day < 107; ++day) {
        append(day * day_ms);
    }
    ASSERT_TRUE(store_->seal_all());
    EXPECT_EQ(samples(), 7U);
    append(108 * day_ms);
    ASSERT_TRUE(store_->seal_all());
    EXPECT_EQ(samples(), 7U) << "day 100 has gone";
    EXPECT_TRUE(has_metric("muster_history_raw_days 7"));
    open();
    EXPECT_EQ(samples(), 7U);
}

TEST_F(EmbeddedHistory, a_sample_of_a_day_that_is_gone_or_never_was_is_left_out_and_counted) {
    append(200 * day_ms);
    append(100 * day_ms);
    append(-5);
    append(INT64_MAX);
    EXPECT_EQ(samples(), 1U);
    EXPECT_TRUE(has_metric("muster_history_too_old_total 3"));
    append(200 * day_ms + 1);
    EXPECT_EQ(samples(), 2U);
}

TEST_F(EmbeddedHistory, samples_of_the_newest_day_are_found_after_a_restart) {
    append(200 * day_ms + day_ms - 1);
    ASSERT_TRUE(store_->checkpoint());
    open();
    EXPECT_EQ(samples(), 1U);
}

TEST_F(EmbeddedHistory, a_second_store_on_the_directory_is_refused_in_words) {
    const auto second = EmbeddedHistoryStore::open({.directory = directory_.path()}, metrics_);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message().find("another muster is using"), std::string::npos);
}

TEST_F(EmbeddedHistory, a_damaged_directory_is_an_error_that_names_it) {
    store_.reset();
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
        if (entry.path().filename().string().starts_with("MANIFEST")) {
            std::filesystem::resize_file(entry.path(), 10);
        }
    }
    const auto opened = EmbeddedHistoryStore::open({.directory = directory_.path()}, metrics_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
    EXPECT_NE(opened.error().message().find(directory_.path()), std::string::npos);
}

TEST(ChunkKey, keys_sort_by_device_then_time_and_come_back) {
    EXPECT_LT(chunk_key({"a", 9, 0}), chunk_key({"a", 10, 0}));
    EXPECT_LT(chunk_key({"a", 9, 255}), chunk_key({"a", 9, 256}));
    EXPECT_LT(chunk_key({"a", 23, 9}), chunk_key({"a.", 0, 0}));
    EXPECT_LT(rollup_key({"a", 255}), rollup_key({"a", 256}));
    const std::string key = chunk_key({"a.b", 23, 258});
    const auto parsed = parse_chunk_key(key);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->device, "a.b");
    EXPECT_EQ(parsed->hour, 23);
    EXPECT_EQ(parsed->part, 258);
    EXPECT_FALSE(parse_chunk_key(key.substr(1, 3)));
    EXPECT_FALSE(parse_chunk_key(chunk_key({"a", 24, 0})));
    const std::string of_day = rollup_key({"a", 19'700});
    EXPECT_EQ(parse_rollup_key(of_day)->day, 19'700);
    EXPECT_FALSE(parse_rollup_key(key));
}

TEST(SeriesBuilder, a_point_for_each_sample_until_there_are_too_many) {
    SeriesBuilder few(from_epoch_ms(0), from_epoch_ms(100), 3);
    for (const int time : {1, 2, 99}) {
        few.add("m", from_epoch_ms(time), time);
    }
    EXPECT_EQ(few.take().at(0).points.size(), 3U);
    SeriesBuilder many(from_epoch_ms(0), from_epoch_ms(100), 3);
    for (const int time : {1, 2, 40, 99}) {
        many.add("m", from_epoch_ms(time), time);
    }
    const auto series = many.take();
    const auto& points = series.at(0).points;
    ASSERT_EQ(points.size(), 3U);
    EXPECT_EQ(points[0].time, from_epoch_ms(0));
    EXPECT_EQ(points[0].average, 1.5);
    EXPECT_EQ(points[0].samples, 2U);
    EXPECT_EQ(points[1].time, from_epoch_ms(34));
}

}  // namespace
}  // namespace muster
