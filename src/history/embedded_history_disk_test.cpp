#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>

#include "base/random.h"
#include "history/embedded_history_fixture.h"
#include "storage/embedded_full_disk.h"

// The history on a full disk and within its budget, and under many at once.

namespace muster {
namespace {

TEST_F(HistoryOnDisk, a_full_disk_fails_checkpoints_and_never_an_append_and_nothing_is_missing_afterwards) {
    const auto disk = std::make_shared<FullDisk>();
    const auto env = rocksdb::NewCompositeEnv(disk);
    open(env.get());
    for (int i = 0; i < 100; ++i) {
        append("d1", start_ms + i * 1000, i);
    }
    ASSERT_TRUE(store_->checkpoint());
    disk->full = true;
    for (int i = 100; i < 200; ++i) {
        append("d1", start_ms + i * 1000, i);
        EXPECT_FALSE(store_->checkpoint());
    }
    for (int hour = 1; hour < 6; ++hour) {
        append("d1", start_ms + hour * hour_ms, hour);  // there is no room for its older hours, nor can they be sealed
    }
    EXPECT_GT(metric("muster_history_write_failures_total"), 0);
    disk->full = false;
    Result<void> kept = store_->checkpoint();
    for (int i = 0; i < 10 && !kept; ++i) {
        kept = store_->checkpoint();
    }
    ASSERT_TRUE(kept) << kept.error().message();
    EXPECT_EQ(samples(), 205U);
    open(env.get());
    EXPECT_EQ(samples(), 205U);
    ASSERT_TRUE(store_->seal_all());
    EXPECT_EQ(samples(), 205U);
    store_.reset();
}

TEST_F(HistoryOnDisk, memory_has_a_bound_while_the_disk_refuses) {
    const auto disk = std::make_shared<FullDisk>();
    const auto env = rocksdb::NewCompositeEnv(disk);
    auto bounded = options(env.get());
    bounded.open_bytes_max = 20'000;
    auto opened = EmbeddedHistoryStore::open(bounded, metrics_);
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
    disk->full = true;
    for (int i = 0; i < 20'000; ++i) {
        append("d" + std::to_string(i % 10), start_ms + i * 100, i * 0.37);
    }
    EXPECT_LT(store_->open_bytes(), 30'000U);
    EXPECT_GT(metric("muster_history_dropped_samples_total"), 1000);
    store_.reset();
}

TEST_F(HistoryOnDisk, over_its_limit_the_oldest_days_go_and_the_newest_stays) {
    auto limited = options();
    limited.bytes_max = 150'000;
    auto opened = EmbeddedHistoryStore::open(limited, metrics_);
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
    Random random(3);
    for (int day = 0; day < 6; ++day) {
        for (int i = 0; i < 5000; ++i) {
            append("d1", start_ms + day * day_ms + i * 17'000, random.normal());  // about 40 kB a day
        }
        ASSERT_TRUE(store_->seal_all());
        ASSERT_TRUE(store_->checkpoint());
    }
    for (int i = 0; i < 6; ++i) {
        ASSERT_TRUE(store_->checkpoint());
    }
    const auto disk = store_->disk();
    ASSERT_TRUE(disk);
    EXPECT_GE(disk->days_dropped_early, 1U);
    EXPECT_LT(disk->raw_days, 6U);
    EXPECT_GE(disk->raw_days, 1U);
    const auto newest = store_->query({"d1",
                                       from_epoch_ms(start_ms + 5 * day_ms),
                                       from_epoch_ms(start_ms + 6 * day_ms),
                                       {},
                                       10'000,
                                       Resolution::raw});
    ASSERT_TRUE(newest);
    EXPECT_EQ(newest->series.at(0).points.size(), 5000U);
    append("d1", start_ms, 1);
    EXPECT_EQ(metric("muster_history_too_old_total"), 1) << "of a day that went early";
}

TEST_F(HistoryOnDisk, the_warning_comes_before_the_first_day_goes) {
    auto limited = options();
    limited.bytes_max = 8 << 20U;
    auto opened = EmbeddedHistoryStore::open(limited, metrics_);
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
    Random random(3);
    std::optional<int> warned;
    std::optional<int> dropped;
    for (int day = 0; day < 7 && !dropped; ++day) {
        for (int i = 0; i < 80'000; ++i) {
            append("d" + std::to_string(i % 8), start_ms + day * day_ms + i * 1'000, random.normal());
        }
        ASSERT_TRUE(store_->checkpoint());
        const auto disk = store_->disk();
        ASSERT_TRUE(disk);
        if (disk->state == HistoryDisk::State::warning && !warned) {
            warned = day;
            EXPECT_GT(disk->days_until_full.value_or(0), 1);
        }
        if (disk->days_dropped_early > 0) {
            dropped = day;
        }
    }
    ASSERT_TRUE(warned);
    ASSERT_TRUE(dropped);
    EXPECT_LE(*warned + 2, *dropped);
}

TEST_F(HistoryOnDisk, presence_and_write_ahead_logs_count_as_what_the_disk_gives) {
    open();
    const auto before = store_->disk();
    ASSERT_TRUE(before);
    for (int i = 0; i < 20'000; ++i) {
        ASSERT_TRUE(store_->append_transition("d" + std::to_string(i % 100), transition(start_ms + i, i)));
    }
    ASSERT_TRUE(store_->checkpoint());
    const auto with_presence = store_->disk();
    ASSERT_TRUE(with_presence);
    EXPECT_GT(with_presence->other_bytes, before->other_bytes + 20'000 * 40);
    for (int i = 0; i < 20'000; ++i) {
        append("d" + std::to_string(i % 100), start_ms + i, i);
    }
    ASSERT_TRUE(store_->checkpoint());
    EXPECT_GT(store_->disk()->other_bytes, with_presence->other_bytes + 20'000);
}

TEST_F(HistoryOnDisk, on_a_full_disk_a_raw_day_goes_so_that_presence_goes_on) {
    open();
    for (int day = 0; day < 3; ++day) {
        for (int i = 0; i < 2000; ++i) {
            append("d1", start_ms + day * day_ms + i * 17'000, i * 0.37);
        }
        ASSERT_TRUE(store_->seal_all());
    }
    change_stored([](RocksDatabase& database) {
        for (int day = 0; day < 3; ++day) {
            ASSERT_TRUE(
                database.db().Flush({}, database.family("samples:" + std::to_string(start_ms / day_ms + day))).ok());
        }
    });
    const auto tables = [this] {
        std::uint64_t files = 0;
        for (const auto& file : std::filesystem::directory_iterator(directory_.path() + "/history")) {
            files += file.path().extension() == ".sst" ? 1U : 0U;
        }
        return files;
    };
    const auto disk = std::make_shared<FullDisk>();
    std::atomic<std::uint64_t> tables_max = UINT64_MAX;
    disk->is_full = [&] { return tables() > tables_max; };
    const auto env = rocksdb::NewCompositeEnv(disk);
    auto limited = options(env.get());
    limited.bytes_max = 1000;
    auto opened = EmbeddedHistoryStore::open(limited, metrics_);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = std::move(*opened);
    tables_max = tables() - 1;
    for (int i = 0; i < 100; ++i) {
        const auto appended = store_->append_transition("d1", transition(start_ms + 3 * day_ms + i, i));
        ASSERT_TRUE(appended) << appended.error().message();
    }
    EXPECT_EQ(metric("muster_history_early_dropped_days_total"), 1);
    EXPECT_EQ(store_->transitions("d1", from_epoch_ms(0), from_epoch_ms(start_ms + 4 * day_ms), 1000)->size(), 100U);
    store_.reset();  // before its file system
}

// Many at once --------------------------------------------------------------------------------------------------------

TEST_F(HistoryOnDisk, questions_exports_and_checks_go_on_while_days_come_and_go) {
    auto few_days = options();
    few_days.raw_days = 2;
    auto opened = EmbeddedHistoryStore::open(few_days, metrics_);
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
    std::atomic<bool> done{false};
    const auto until_done = [&](auto ask) {
        return std::thread([&done, ask] {
            do {
                ask();
            } while (!done);
        });
    };
    const Timestamp end = from_epoch_ms(start_ms + 20 * day_ms);
    std::thread readers[] = {
        until_done([&] { EXPECT_TRUE(store_->query({"d1", from_epoch_ms(start_ms), end, {}, 100})); }),
        until_done([&] { EXPECT_TRUE(store_->scan({}, [](const Sample&) { return true; })); }),
        until_done([&] { EXPECT_TRUE(store_->verify([](std::uint64_t) { return true; })); }),
    };
    for (int hour = 0; hour < 12 * 24; ++hour) {
        for (int i = 0; i < 8; ++i) {
            append("d" + std::to_string(i), start_ms + hour * hour_ms, hour);
            append("d" + std::to_string(i), start_ms + (hour - hour % 5) * hour_ms + 1000, hour);  // late ones
        }
        ASSERT_TRUE(store_->checkpoint());
    }
    done = true;
    for (std::thread& reader : readers) {
        reader.join();
    }
    ASSERT_TRUE(store_->seal_all());
    EXPECT_EQ(metric("muster_history_write_failures_total"), 0);
    EXPECT_EQ(metric("muster_history_damaged_chunks_total"), 0);
    EXPECT_LE(store_->disk()->raw_days, 4U);
}

}  // namespace
}  // namespace muster
