#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "history/chunk_key.h"
#include "history/embedded_history_fixture.h"
#include "history/presence_codec.h"

// What is left of the history after a kill and on a damaged disk.

namespace muster {
namespace {

/// A sample that owns what it says.
struct OwnSample {
    std::string device;
    std::int64_t time = 0;
    std::vector<std::pair<std::string_view, double>> metrics;

    [[nodiscard]] Sample view() const { return {device, from_epoch_ms(time), metrics}; }
};

TEST_F(HistoryOnDisk, after_kills_at_any_instant_and_a_replay_nothing_is_missing_and_nothing_double) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        SCOPED_TRACE(::testing::Message() << "seed " << seed);
        std::filesystem::remove_all(directory_.path() + "/history");
        open();
        Random random(seed);
        Model model;
        std::vector<OwnSample> unsaved;
        std::int64_t now = start_ms + 20 * hour_ms;
        const auto append_all = [&](const std::vector<OwnSample>& samples) {
            std::vector<Sample> views;
            for (const OwnSample& sample : samples) {
                views.push_back(sample.view());
            }
            ASSERT_TRUE(store_->append(views));
        };
        for (int step = 0; step < 400; ++step) {
            now += static_cast<std::int64_t>(random.below(10 * 60'000));
            std::vector<OwnSample> batch(1 + random.below(20));
            for (OwnSample& sample : batch) {
                sample.device = "d" + std::to_string(random.below(12));
                // Now, late up to an hour, rarely up to a day; coarse, so that some meet.
                const std::int64_t late_max = random.chance(0.7) ? 60'000 : random.chance(0.95) ? hour_ms : day_ms;
                const auto late = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(late_max)));
                sample.time = (now - late) / 5000 * 5000;
                for (const std::string_view name : {"battery", "load", "temp"}) {
                    if (random.chance(0.8)) {
                        const double value =
                            random.chance(0.9) ? static_cast<double>(random.below(1000)) / 10 : random.normal();
                        sample.metrics.emplace_back(name, value);
                        model[sample.device][std::string(name)][sample.time] = value;
                    }
                }
            }
            append_all(batch);
            unsaved.insert(unsaved.end(), batch.begin(), batch.end());
            if (random.chance(0.3)) {
                ASSERT_TRUE(store_->checkpoint());
                unsaved.clear();
            }
            if (random.chance(0.02)) {
                ASSERT_TRUE(store_->seal_all());
                unsaved.clear();
            }
            if (random.chance(0.05)) {
                open();  // the store writes nothing when it goes: as after kill -9
                append_all(unsaved);
            }
        }
        std::erase_if(model, [](const auto& device) { return device.second.empty(); });
        EXPECT_EQ(stored(*store_), model);
        ASSERT_TRUE(store_->seal_all());
        EXPECT_EQ(stored(*store_), model);
        const auto check = store_->verify([](std::uint64_t) { return true; });
        ASSERT_TRUE(check);
        EXPECT_EQ(check->damaged, 0U);
        EXPECT_EQ(store_->open_bytes(), 0U);
    }
}

TEST_F(HistoryOnDisk, hours_are_sealed_on_the_way_and_a_late_sample_becomes_part_of_its_chunk) {
    open();
    for (int i = 0; i < 4 * 120; ++i) {
        append("d1", start_ms + i * 30'000, i);
        if (i % 10 == 0) {
            ASSERT_TRUE(store_->checkpoint());
        }
    }
    EXPECT_GE(metric("muster_history_sealed_chunks_total"), 2);
    ASSERT_TRUE(store_->seal_all());
    append("d1", start_ms + 7, 1);
    append("d1", start_ms + 30'000, 99);  // again, with another value
    EXPECT_EQ(samples(), 481U);
    ASSERT_TRUE(store_->seal_all());
    const auto check = store_->verify([](std::uint64_t) { return true; });
    ASSERT_TRUE(check);
    EXPECT_EQ(check->chunks, 4U);
    EXPECT_EQ(check->samples, 481U);
    EXPECT_EQ(stored(*store_)["d1"]["temp"][start_ms + 30'000], 99);
}

TEST_F(HistoryOnDisk, a_device_that_sends_very_much_is_kept_whole_in_several_chunks) {
    open();
    std::vector<std::vector<std::pair<std::string_view, double>>> values(60'000);
    std::vector<Sample> batch;
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = {{"temp", static_cast<double>(i % 100)}};
        batch.push_back({"d1", from_epoch_ms(start_ms + static_cast<std::int64_t>(i) * 50), values[i]});
    }
    ASSERT_TRUE(store_->append(batch));
    EXPECT_LT(store_->open_bytes(), 200'000U);
    EXPECT_EQ(samples(), values.size());
}

TEST_F(HistoryOnDisk, rollups_say_the_same_as_samples_and_late_samples_correct_them) {
    open();
    const auto hours = [&] {
        const auto result =
            store_->query({"d1", from_epoch_ms(start_ms), from_epoch_ms(start_ms + day_ms), {}, 100, Resolution::hour});
        EXPECT_TRUE(result);
        return result ? result->series.at(0).points : std::vector<HistoryPoint>{};
    };
    for (int i = 0; i < 2880; ++i) {
        append("d1", start_ms + i * 30'000, (i * 7) % 100 / 10.0);
    }
    const auto of_samples = hours();
    append("d1", start_ms + day_ms + 3 * hour_ms, 1);
    ASSERT_TRUE(store_->seal_all());
    EXPECT_EQ(metric("muster_history_rolled_device_days_total"), 1);
    const auto rolled = hours();
    ASSERT_EQ(rolled.size(), of_samples.size());
    for (std::size_t i = 0; i < rolled.size(); ++i) {
        EXPECT_EQ(rolled[i].time, of_samples[i].time);
        EXPECT_NEAR(rolled[i].average, of_samples[i].average, 1e-9);
        EXPECT_EQ(rolled[i].minimum, of_samples[i].minimum);
        EXPECT_EQ(rolled[i].maximum, of_samples[i].maximum);
        EXPECT_EQ(rolled[i].samples, of_samples[i].samples);
    }
    append("d1", start_ms + 5 * hour_ms + 1, 1000);
    EXPECT_EQ(hours().at(5).maximum, 1000) << "while it is open";
    ASSERT_TRUE(store_->seal_all());
    EXPECT_EQ(hours().at(5).maximum, 1000) << "when it is sealed";
    EXPECT_EQ(hours().at(5).samples, 121U);
    open();
    EXPECT_EQ(hours().at(5).maximum, 1000) << "after a restart";
}

TEST_F(HistoryOnDisk, rollups_outlive_their_samples) {
    open();
    for (int day = 0; day < 12; ++day) {
        for (int i = 0; i < 100; ++i) {
            append("d1", start_ms + day * day_ms + i * 60'000, day);
        }
        ASSERT_TRUE(store_->seal_all());
    }
    EXPECT_EQ(metric("muster_history_raw_days"), 8);
    const auto all = store_->query({"d1", from_epoch_ms(start_ms), from_epoch_ms(start_ms + 12 * day_ms), {}, 10'000});
    ASSERT_TRUE(all);
    EXPECT_EQ(all->resolution, "1m") << "as the first days have no samples any more";
    EXPECT_EQ(all->series.at(0).points.size(), 1200U);
    EXPECT_EQ(all->series[0].points[0].average, 0);
    const std::vector<std::string> devices{"d1"};
    const auto fleet =
        store_->fleet_series({devices, "temp", from_epoch_ms(start_ms), from_epoch_ms(start_ms + 12 * day_ms), 10'000});
    ASSERT_TRUE(fleet);
    EXPECT_EQ(fleet->points.size(), 600U) << "two minutes each, as 10,000 minutes are not enough";
}

// Damage --------------------------------------------------------------------------------------------------------------

TEST_F(HistoryOnDisk, a_damaged_chunk_is_left_out_counted_and_told_and_the_others_are_there) {
    open();
    for (int i = 0; i < 3 * 120; ++i) {
        append("d1", start_ms + i * 30'000, i);
    }
    ASSERT_TRUE(store_->seal_all());
    change_stored([](RocksDatabase& database) {
        auto* const family = database.family("samples:" + std::to_string(start_ms / day_ms));
        ASSERT_NE(family, nullptr);
        const std::string key = chunk_key({"d1", 1, 0});
        std::string chunk;
        ASSERT_TRUE(database.db().Get({}, family, key, &chunk).ok());
        chunk[chunk.size() / 2] = static_cast<char>(chunk[chunk.size() / 2] ^ 4);
        ASSERT_TRUE(database.db().Put({}, family, key, chunk).ok());
    });
    open();
    const auto result = store_->query({"d1", from_epoch_ms(start_ms), from_epoch_ms(start_ms + 3 * hour_ms), {}, 1000});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->damaged_chunks, 1U);
    EXPECT_EQ(result->series.at(0).points.size(), 240U);
    EXPECT_EQ(metric("muster_history_damaged_chunks_total"), 1);
    const auto check = store_->verify([](std::uint64_t) { return true; });
    ASSERT_TRUE(check);
    EXPECT_EQ(check->damaged, 1U);
    EXPECT_EQ(check->chunks, 2U);
    ASSERT_EQ(check->damaged_examples.size(), 1U);
    EXPECT_NE(check->damaged_examples[0].find("d1 hour 1"), std::string::npos) << check->damaged_examples[0];
    // What comes late for the damaged hour is kept beside it.
    append("d1", start_ms + hour_ms + 5, 1);
    ASSERT_TRUE(store_->seal_all());
    EXPECT_EQ(samples(), 241U);
}

TEST_F(HistoryOnDisk, damage_anywhere_in_a_table_file_ends_neither_a_query_nor_a_check) {
    open();
    Random random(9);
    for (int device = 0; device < 40; ++device) {
        for (int i = 0; i < 240; ++i) {
            append("d" + std::to_string(device), start_ms + i * 30'000, random.normal());
        }
    }
    ASSERT_TRUE(store_->seal_all());
    change_stored([](RocksDatabase& database) {
        ASSERT_TRUE(database.db().Flush({}, database.family("samples:" + std::to_string(start_ms / day_ms))).ok());
    });
    std::string largest;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path() + "/history")) {
        if (entry.path().extension() == ".sst" &&
            (largest.empty() || entry.file_size() > std::filesystem::file_size(largest))) {
            largest = entry.path();
        }
    }
    ASSERT_FALSE(largest.empty());
    std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
    for (int i = 0; i < 12; ++i) {
        file.seekp(static_cast<std::streamoff>(random.below(6000)));
        file.put('\x5a');
    }
    file.close();
    open();
    std::size_t found = 0;
    std::uint64_t damaged = 0;
    for (int device = 0; device < 40; ++device) {
        const auto result = store_->query(
            {"d" + std::to_string(device), from_epoch_ms(start_ms), from_epoch_ms(start_ms + 2 * hour_ms), {}, 1000});
        ASSERT_TRUE(result) << result.error().message();
        found += result->series.empty() ? 0 : result->series[0].points.size();
        damaged += result->damaged_chunks;
    }
    EXPECT_GT(damaged, 0U);
    EXPECT_GT(found, 20U * 240U);
    const auto check = store_->verify([](std::uint64_t) { return true; });
    ASSERT_TRUE(check);
    EXPECT_GT(check->damaged, 0U);
    EXPECT_TRUE(store_->scan({}, [](const Sample&) { return true; }));
}

TEST_F(HistoryOnDisk, damaged_open_samples_are_counted_and_the_rest_goes_on) {
    open();
    for (int i = 0; i < 50; ++i) {
        append("d1", start_ms + i * 1000, i);
        append("d2", start_ms + i * 1000, i);
        ASSERT_TRUE(store_->checkpoint());
    }
    change_stored([](RocksDatabase& database) {
        const std::unique_ptr<rocksdb::Iterator> iterator(database.db().NewIterator({}, database.family("tail")));
        iterator->SeekToFirst();
        for (int i = 0; i < 10; ++i) {
            iterator->Next();
        }
        ASSERT_TRUE(iterator->Valid());
        std::string segment = iterator->value().ToString();
        segment.back() = static_cast<char>(segment.back() ^ 1);
        ASSERT_TRUE(database.db().Put({}, database.family("tail"), iterator->key(), segment).ok());
    });
    open();
    auto found = stored(*store_);
    EXPECT_EQ(found["d1"]["temp"].size() + found["d2"]["temp"].size(), 60U);
    EXPECT_GE(metric("muster_history_damaged_chunks_total"), 1);
    append("d1", start_ms + 100'000, 1);
    append("d2", start_ms + 100'000, 1);
    ASSERT_TRUE(store_->checkpoint());
    open();
    found = stored(*store_);
    EXPECT_EQ(found["d1"]["temp"].size() + found["d2"]["temp"].size(), 62U);
}

TEST_F(HistoryOnDisk, a_check_tells_of_presence_too) {
    open();
    ASSERT_TRUE(store_->append_transition("d1", transition(start_ms, 1)));
    ASSERT_TRUE(store_->append_transition("d1", transition(start_ms + 1000, 2)));
    store_.reset();
    {
        auto database = RocksDatabase::open({.directory = directory_.path() + "/history/presence", .what = "presence"});
        ASSERT_TRUE(database);
        ASSERT_TRUE((*database)
                        ->db()
                        .Put({}, (*database)->family("presence:" + std::to_string(start_ms / day_ms)),
                             presence_key("d1", from_epoch_ms(start_ms + 1000), 2), "rubbish")
                        .ok());
    }
    open();
    EXPECT_EQ(store_->transitions("d1", from_epoch_ms(0), from_epoch_ms(start_ms + day_ms), 10)->size(), 1U);
    const auto check = store_->verify([](std::uint64_t) { return true; });
    ASSERT_TRUE(check);
    EXPECT_EQ(check->transitions, 1U);
    EXPECT_EQ(check->damaged, 1U);
    EXPECT_EQ(check->damaged_examples, std::vector<std::string>{"presence of 2023-11-15: an entry of d1"});
}

}  // namespace
}  // namespace muster
