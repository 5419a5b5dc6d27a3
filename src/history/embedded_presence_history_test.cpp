#include "history/embedded_presence_history.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <tuple>

#include <gtest/gtest.h>

#include "base/random.h"
#include "storage/embedded_full_disk.h"
#include "storage/embedded_rocksdb.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

constexpr std::int64_t day_ms = 86'400'000;

/// What presence_at() says of a device, comparable.
struct Past {
    PresenceState state;
    Cause cause;
    Overlays overlays;
    std::int64_t since_ms;
    std::string region;
    auto tie() const { return std::tie(state, cause, overlays, since_ms, region); }
    bool operator==(const Past& other) const { return tie() == other.tie(); }
};
std::ostream& operator<<(std::ostream& out, const Past& past) {
    return out << name_of(past.state) << " " << name_of(past.cause) << " " << int{past.overlays} << " since "
               << past.since_ms << " in " << past.region;
}
using Picture = std::map<std::string, Past>;

class PresenceHistory : public ::testing::Test {
 protected:
    PresenceHistory() { open(); }

    void open() {
        history_.reset();
        options_.directory = directory_.path() + "/presence";
        auto opened = EmbeddedPresenceHistory::open(options_, metrics_);
        ASSERT_TRUE(opened) << opened.error().message();
        history_ = std::move(*opened);
    }
    static Transition entry(std::int64_t time_ms, std::int64_t offset, PresenceState state,
                            const std::string& region = "in/ka") {
        Transition made;
        made.time = made.since = from_epoch_ms(time_ms);
        made.state = state;
        made.cause = state == PresenceState::online ? Cause::connect : Cause::will;
        made.epoch = (1ULL << 40U) + 7;
        made.gateway = "gw-1";
        made.detected_in_ms = 15;
        made.offset = offset;
        made.region = region;
        return made;
    }
    void append(const std::string& device, const Transition& transition) {
        const auto appended = history_->append(device, transition);
        ASSERT_TRUE(appended) << appended.error().message();
    }
    void checkpoint(int times = 1) {
        for (int i = 0; i < times; ++i) {
            ASSERT_TRUE(history_->checkpoint());
        }
    }
    Picture picture(std::int64_t at_ms, const std::string& after = {}) {
        Picture seen;
        const auto read = history_->presence_at(from_epoch_ms(at_ms), after, [&](const PastPresence& device) {
            const bool fresh = seen.emplace(device.device, Past{device.state, device.cause, device.overlays,
                                                                to_epoch_ms(device.since), std::string(device.region)})
                                   .second;
            EXPECT_TRUE(fresh) << device.device << " twice";
            EXPECT_EQ(seen.rbegin()->first, device.device) << "ascending";
            return true;
        });
        EXPECT_TRUE(read) << read.error().message();
        return seen;
    }
    std::vector<Transition> all(const std::string& device) {
        const auto listed = history_->transitions(
            {.device = device, .from = from_epoch_ms(0), .to = from_epoch_ms(INT64_MAX), .limit = 10'000});
        EXPECT_TRUE(listed);
        return listed ? *listed : std::vector<Transition>{};
    }
    /// Opens what the closed history left, and the history again.
    void change_stored(const std::function<void(RocksDatabase&)>& change) {
        history_.reset();
        {
            auto database = RocksDatabase::open({.directory = directory_.path() + "/presence", .what = "presence"});
            ASSERT_TRUE(database) << database.error().message();
            change(**database);
        }
        open();
    }
    bool has_metric(const std::string& line) { return metrics_.render().find("\n" + line + "\n") != std::string::npos; }

    ScratchDirectory directory_;
    MetricRegistry metrics_;
    EmbeddedPresenceHistoryOptions options_;
    std::unique_ptr<EmbeddedPresenceHistory> history_;
};

TEST_F(PresenceHistory, the_fleet_at_a_time_is_what_each_device_last_became) {
    append("a", entry(day_ms + 1000, 1, PresenceState::online));
    append("b", entry(day_ms + 2000, 2, PresenceState::online, "ng/lagos"));
    append("a", entry(day_ms + 3000, 3, PresenceState::offline));
    EXPECT_TRUE(picture(day_ms + 999).empty());
    EXPECT_EQ(picture(day_ms + 1000).at("a").state, PresenceState::online) << "the time itself is included";
    EXPECT_EQ(picture(day_ms + 2999),
              (Picture{{"a", {PresenceState::online, Cause::connect, 0, day_ms + 1000, "in/ka"}},
                       {"b", {PresenceState::online, Cause::connect, 0, day_ms + 2000, "ng/lagos"}}}));
    EXPECT_EQ(picture(day_ms + 3000).at("a").state, PresenceState::offline);
    EXPECT_EQ(picture(INT64_MAX).size(), 2U) << "beyond the newest entry it is as it was then";
    EXPECT_EQ(picture(day_ms + 3000, "a").size(), 1U) << "a page goes on after a device";
}

TEST_F(PresenceHistory, a_device_that_only_moved_keeps_its_state_and_lists_no_transition) {
    append("a", entry(day_ms + 1000, 1, PresenceState::online, ""));
    Transition moved = entry(day_ms + 5000, 2, PresenceState::online, "in/ka");
    moved.since = from_epoch_ms(day_ms + 1000);
    moved.moved = true;
    append("a", moved);
    EXPECT_EQ(picture(day_ms + 4999).at("a").region, "");
    EXPECT_EQ(picture(day_ms + 5000).at("a"), (Past{PresenceState::online, Cause::connect, 0, day_ms + 1000, "in/ka"}));
    EXPECT_EQ(all("a").size(), 1U);
}

TEST_F(PresenceHistory, a_replayed_transition_is_one) {
    for (int i = 0; i < 3; ++i) {
        append("a", entry(day_ms + 1000, 1, PresenceState::online));
        append("a", entry(day_ms + 1000, 2, PresenceState::offline));
        open();
    }
    const auto listed = all("a");
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_EQ(listed[0].offset, 2);
    EXPECT_EQ(listed[0].gateway, "gw-1");
    EXPECT_EQ(listed[0].epoch, (1ULL << 40U) + 7);
    EXPECT_EQ(listed[0].detected_in_ms, 15);
    EXPECT_EQ(listed[0].region, "in/ka");
}

TEST_F(PresenceHistory, a_page_may_end_between_two_transitions_of_one_millisecond) {
    for (int offset = 1; offset <= 4; ++offset) {
        append("a", entry(day_ms + 1000, offset, PresenceState::online));
    }
    const auto page = history_->transitions(
        {.device = "a", .from = from_epoch_ms(0), .to = from_epoch_ms(day_ms + 1000), .to_offset = 3, .limit = 10});
    ASSERT_TRUE(page);
    ASSERT_EQ(page->size(), 2U);
    EXPECT_EQ(page->front().offset, 2);
    EXPECT_FALSE(history_->transitions({.device = "a", .limit = 0}));
    EXPECT_FALSE(history_->transitions({.device = "a", .limit = 10'001}));
}

TEST_F(PresenceHistory, the_baseline_of_a_day_stands_for_all_days_before_it) {
    options_.days = 3;
    options_.baseline_devices = 2;
    open();
    for (const char* device : {"a", "b", "c", "d", "e"}) {
        append(device, entry(10 * day_ms + 5, 1, PresenceState::online));
    }
    append("b", entry(11 * day_ms + 5, 2, PresenceState::offline));
    append("c", entry(15 * day_ms + 3'600'000, 3, PresenceState::offline));
    EXPECT_EQ(picture(15 * day_ms).size(), 5U) << "read from the first day on";
    checkpoint(12);
    EXPECT_TRUE(has_metric("muster_presence_history_days 2")) << "the first day is that before the third last";
    EXPECT_EQ(history_->since(), from_epoch_ms(13 * day_ms));
    for (int restart = 0; restart < 2; ++restart) {
        EXPECT_EQ(picture(13 * day_ms).size(), 5U);
        const Picture at_midnight = picture(15 * day_ms);
        ASSERT_EQ(at_midnight.size(), 5U);
        EXPECT_EQ(at_midnight.at("a").since_ms, 10 * day_ms + 5);
        EXPECT_EQ(at_midnight.at("b").state, PresenceState::offline);
        EXPECT_EQ(picture(16 * day_ms).at("c").state, PresenceState::offline);
        EXPECT_EQ(picture(16 * day_ms, "c").size(), 2U);
        open();
    }
    const auto before =
        history_->presence_at(from_epoch_ms(13 * day_ms - 1), "", [](const PastPresence&) { return true; });
    ASSERT_FALSE(before);
    EXPECT_EQ(before.error().code, ErrorCode::not_found);
    EXPECT_NE(before.error().message().find("1970-01-14T00:00:00Z"), std::string::npos) << before.error().message();
    append("a", entry(9 * day_ms, 9, PresenceState::offline));
    EXPECT_TRUE(has_metric("muster_presence_history_too_old_total 1"));
}

TEST_F(PresenceHistory, an_entry_that_comes_late_makes_the_later_baselines_anew) {
    append("a", entry(10 * day_ms + 5, 1, PresenceState::online));
    append("a", entry(11 * day_ms + 3'600'000, 2, PresenceState::online));
    checkpoint(3);
    EXPECT_TRUE(has_metric("muster_presence_history_baselines_total 1"));
    append("a", entry(10 * day_ms + 5, 1, PresenceState::online));
    EXPECT_TRUE(has_metric("muster_presence_history_late_total 0")) << "a replay changes nothing";
    append("z", entry(10 * day_ms + 7, 3, PresenceState::offline));
    EXPECT_TRUE(has_metric("muster_presence_history_late_total 1"));
    EXPECT_EQ(picture(11 * day_ms).size(), 2U);
    open();
    EXPECT_EQ(picture(11 * day_ms).size(), 2U);
    append("a", entry(11 * day_ms + 3'600'000, 2, PresenceState::online));
    checkpoint(3);
    EXPECT_TRUE(has_metric("muster_presence_history_baselines_total 2"));
    EXPECT_EQ(picture(11 * day_ms).size(), 2U);
}

TEST_F(PresenceHistory, a_device_that_flaps_all_day_is_found_by_a_seek) {
    for (int i = 0; i < 1000; ++i) {
        append("b", entry(day_ms + i * 1000, i, i % 2 == 0 ? PresenceState::online : PresenceState::offline));
    }
    append("a", entry(day_ms, 5000, PresenceState::online));
    append("c", entry(day_ms, 5001, PresenceState::online));
    for (const int i : {0, 1, 15, 16, 17, 31, 500, 501, 999}) {
        const Picture seen = picture(day_ms + i * 1000 + 999);
        ASSERT_EQ(seen.size(), 3U);
        EXPECT_EQ(seen.at("b").since_ms, day_ms + i * 1000);
    }
}

TEST_F(PresenceHistory, a_full_disk_refuses_and_appending_alone_goes_on_when_there_is_room) {
    const auto disk = std::make_shared<FullDisk>();
    const auto env = rocksdb::NewCompositeEnv(disk);
    options_.env = env.get();
    open();
    append("a", entry(day_ms + 1000, 1, PresenceState::online));
    checkpoint();
    disk->full = true;
    for (int i = 0; i < 5; ++i) {
        EXPECT_FALSE(history_->append("a", entry(day_ms + 2000, 2, PresenceState::offline)));
    }
    EXPECT_FALSE(has_metric("muster_presence_history_write_failures_total 0"));
    disk->full = false;
    bool appended = false;
    for (int i = 0; i < 100 && !appended; ++i) {
        appended = history_->append("a", entry(day_ms + 2000, 2, PresenceState::offline)).has_value();
    }
    EXPECT_TRUE(appended);
    EXPECT_EQ(all("a").size(), 2U);
    EXPECT_EQ(picture(day_ms + 1500).at("a").state, PresenceState::online);
    history_.reset();  // before its file system
}

TEST_F(PresenceHistory, every_row_is_checked) {
    append("a", entry(10 * day_ms + 5, 1, PresenceState::online));
    append("b", entry(11 * day_ms + 3'600'000, 2, PresenceState::online));
    checkpoint(3);
    int reports = 0;
    const auto checked = history_->verify([&](const EmbeddedPresenceHistory::Checked&) {
        ++reports;
        return true;
    });
    ASSERT_TRUE(checked);
    EXPECT_EQ(checked->entries, 2U);
    EXPECT_EQ(checked->baseline_devices, 1U);
    EXPECT_EQ(checked->damaged, 0U);
    EXPECT_EQ(reports, 2);
}

// Damage --------------------------------------------------------------------------------------------------------------

TEST_F(PresenceHistory, a_damaged_entry_is_left_out_and_counted_and_the_others_are_there) {
    for (const char* device : {"a", "b", "c"}) {
        append(device, entry(day_ms + 1000, 1, PresenceState::online));
        append(device, entry(day_ms + 2000, 2, PresenceState::offline));
    }
    append("d", entry(day_ms + 1000, 3, PresenceState::online));
    change_stored([](RocksDatabase& database) {
        auto* const family = database.family("presence:1");
        for (const std::string& key : {presence_key("b", from_epoch_ms(day_ms + 2000), 2),
                                       presence_key("d", from_epoch_ms(day_ms + 1000), 3), std::string("no key")}) {
            ASSERT_TRUE(database.db().Put({}, family, key, "rubbish").ok());
        }
    });
    const Picture seen = picture(2 * day_ms);
    ASSERT_EQ(seen.size(), 3U) << "of d nothing is left";
    EXPECT_EQ(seen.at("a").state, PresenceState::offline);
    EXPECT_EQ(seen.at("b").state, PresenceState::online) << "the entry before it counts";
    EXPECT_EQ(seen.at("c").state, PresenceState::offline);
    EXPECT_TRUE(has_metric("muster_presence_history_damaged_rows_total 3"));
    ASSERT_EQ(all("b").size(), 1U);
    EXPECT_EQ(all("b")[0].offset, 1);
    EXPECT_TRUE(all("d").empty());
    EXPECT_TRUE(has_metric("muster_presence_history_damaged_rows_total 6"));
    const auto checked = history_->verify([](const EmbeddedPresenceHistory::Checked&) { return true; });
    ASSERT_TRUE(checked);
    EXPECT_EQ(checked->entries, 5U);
    EXPECT_EQ(checked->damaged, 3U);
    ASSERT_EQ(checked->damaged_examples.size(), 3U);
    EXPECT_EQ(checked->damaged_examples[0], "presence of 1970-01-02: an entry of b");
}

TEST_F(PresenceHistory, a_damaged_part_of_a_baseline_costs_its_devices_alone) {
    for (int i = 0; i < 1200; ++i) {
        append(fmt::format("d{:04}", i), entry(10 * day_ms + 5, i, PresenceState::online));
    }
    append("d0000", entry(11 * day_ms + 3'600'000, 5000, PresenceState::offline));
    checkpoint(3);
    ASSERT_TRUE(has_metric("muster_presence_history_baselines_total 1"));
    change_stored([](RocksDatabase& database) {
        auto* const family = database.family("presence:11");
        const std::string key = std::string(1, '\0') + "d0512";
        std::string chunk;
        ASSERT_TRUE(database.db().Get({}, family, key, &chunk).ok());
        chunk[chunk.size() / 2] = static_cast<char>(chunk[chunk.size() / 2] ^ 4);
        ASSERT_TRUE(database.db().Put({}, family, key, chunk).ok());
    });
    const Picture seen = picture(12 * day_ms);
    EXPECT_EQ(seen.size(), 1200U - 512U);
    EXPECT_TRUE(seen.contains("d0511"));
    EXPECT_TRUE(seen.contains("d1024"));
    EXPECT_EQ(picture(12 * day_ms, "d1023").size(), 176U);
    EXPECT_EQ(picture(12 * day_ms, "d0700").size(), 176U);
    const auto checked = history_->verify([](const EmbeddedPresenceHistory::Checked&) { return true; });
    ASSERT_TRUE(checked);
    EXPECT_EQ(checked->damaged, 1U);
    EXPECT_EQ(checked->baseline_devices, 1200U - 512U);
}

/// A day in a table file of its own, with bytes of one place or of many changed.
class DamagedPresenceFile : public PresenceHistory {
 protected:
    static constexpr int devices = 3000;

    /// Two entries a device; small blocks hold some tens of them.
    void fill() {
        for (int i = 0; i < devices; ++i) {
            append(fmt::format("device-{:06}", i), entry(day_ms + 1000 + i, 2 * i, PresenceState::online));
            append(fmt::format("device-{:06}", i), entry(day_ms + 9000 + i, 2 * i + 1, PresenceState::offline));
        }
        change_stored(
            [](RocksDatabase& database) { ASSERT_TRUE(database.db().Flush({}, database.family("presence:1")).ok()); });
    }
    void spoil(double from, double to, int places) {
        history_.reset();
        std::string largest;
        for (const auto& file : std::filesystem::directory_iterator(directory_.path() + "/presence")) {
            if (file.path().extension() == ".sst" &&
                (largest.empty() || file.file_size() > std::filesystem::file_size(largest))) {
                largest = file.path();
            }
        }
        ASSERT_FALSE(largest.empty());
        const auto size = static_cast<double>(std::filesystem::file_size(largest));
        std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
        Random random(5);
        for (int i = 0; i < places; ++i) {
            file.seekp(static_cast<std::streamoff>(size * from) +
                       static_cast<std::streamoff>(random.below(static_cast<std::uint64_t>(size * (to - from)))));
            file.put('\x5a');
        }
        file.close();
        open();
    }
};

TEST_F(DamagedPresenceFile, a_block_that_cannot_be_read_costs_the_devices_in_it_alone) {
    fill();
    spoil(0.4, 0.401, 3);
    const Picture seen = picture(2 * day_ms);
    EXPECT_LT(seen.size(), static_cast<std::size_t>(devices));
    EXPECT_GT(seen.size(), devices * 8U / 10U) << "one block of a few";
    EXPECT_TRUE(seen.contains("device-000000"));
    EXPECT_TRUE(seen.contains(fmt::format("device-{:06}", devices - 1)));
    EXPECT_FALSE(has_metric("muster_presence_history_damaged_rows_total 0"));
    std::size_t listed = 0;
    for (int i = 0; i < devices; ++i) {
        listed += all(fmt::format("device-{:06}", i)).size();
    }
    EXPECT_GE(listed, 2 * (seen.size() - 2));
    EXPECT_LE(listed, 2 * seen.size() + 2) << "that of a device may lie in two blocks";
    const auto checked = history_->verify([](const EmbeddedPresenceHistory::Checked&) { return true; });
    ASSERT_TRUE(checked);
    EXPECT_EQ(checked->entries, listed);
    EXPECT_EQ(checked->damaged, 1U);
    append("zz", entry(day_ms + 80'000'000, 99'999, PresenceState::online));
    append("zz", entry(2 * day_ms + 3'600'000, 99'999, PresenceState::online));
    checkpoint(3);
    EXPECT_TRUE(has_metric("muster_presence_history_baselines_total 1")) << "days go on";
}

TEST_F(DamagedPresenceFile, damage_in_many_places_ends_neither_a_question_nor_a_check) {
    fill();
    spoil(0.0, 0.8, 20);
    const auto read = history_->presence_at(from_epoch_ms(2 * day_ms), "", [](const PastPresence&) { return true; });
    EXPECT_TRUE(read);
    for (int i = 0; i < devices; i += 7) {
        EXPECT_LE(all(fmt::format("device-{:06}", i)).size(), 2U);
    }
    const auto checked = history_->verify([](const EmbeddedPresenceHistory::Checked&) { return true; });
    ASSERT_TRUE(checked);
    EXPECT_GT(checked->damaged, 0U);
}

TEST_F(PresenceHistory, what_has_no_valid_device_or_time_is_refused) {
    EXPECT_FALSE(history_->append("", entry(day_ms, 1, PresenceState::online)));
    EXPECT_FALSE(history_->append("a b", entry(day_ms, 1, PresenceState::online)));
    EXPECT_FALSE(history_->append("a", entry(-1, 1, PresenceState::online)));
    EXPECT_FALSE(history_->append("a", entry(INT64_MAX, 1, PresenceState::online)));
    EXPECT_EQ(history_->since(), std::nullopt);
    EXPECT_FALSE(history_->presence_at(from_epoch_ms(day_ms), "", [](const PastPresence&) { return true; }));
}

/// Random transitions of few devices over many days, partly late, with restarts and checkpoints, against a plain map.
class PresenceHistoryModel : public PresenceHistory, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
    using Entries = std::map<std::pair<std::int64_t, std::int64_t>, Transition>;  // by (time, offset)

    Picture expected(std::int64_t at_ms) const {
        Picture seen;
        for (const auto& [device, entries] : model_) {
            const auto after = entries.upper_bound({at_ms, INT64_MAX});
            if (after != entries.begin()) {
                const Transition& last = std::prev(after)->second;
                seen.emplace(device, Past{last.state, last.cause, last.overlays, to_epoch_ms(last.since), last.region});
            }
        }
        return seen;
    }

    std::map<std::string, Entries> model_;
};

TEST_P(PresenceHistoryModel, it_agrees_with_a_plain_map_whatever_happens) {
    SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
    Random random(GetParam());
    options_.days = 5;
    options_.baseline_devices = 3;
    open();
    const std::vector<std::string> devices{"a", "a.b", "ab", "b", "c-1", "c-10", "c-2", "d", "e", "f:1"};
    const std::vector<std::string> regions{"", "in/ka", "in/ka/ka-04", "ng/lagos"};
    std::int64_t now_ms = 100 * day_ms;
    std::int64_t newest_ms = now_ms;
    std::int64_t offset = 0;
    std::vector<std::pair<std::string, Transition>> sent;
    for (int step = 0; step < 600; ++step) {
        now_ms += static_cast<std::int64_t>(random.below(random.chance(0.02) ? 2 * day_ms : day_ms / 50));
        // A partition that lags; never by more than a day, so that no day it needs has been dropped.
        const std::int64_t time_ms = now_ms - static_cast<std::int64_t>(random.chance(0.1) ? random.below(day_ms) : 0);
        const auto& device = devices[random.below(devices.size())];
        Transition made = entry(time_ms, ++offset, static_cast<PresenceState>(random.below(4)),
                                regions[random.below(regions.size())]);
        made.since -= Millis(random.below(3) * 1000);
        made.overlays = static_cast<Overlays>(random.below(8));
        made.moved = random.chance(0.1);
        append(device, made);
        sent.emplace_back(device, made);
        model_[device][{time_ms, offset}] = made;
        newest_ms = std::max(newest_ms, time_ms);
        if (random.chance(0.3)) {
            checkpoint();
        }
        if (random.chance(0.02)) {
            open();
            for (std::size_t i = sent.size() - std::min<std::size_t>(sent.size(), 20); i < sent.size(); ++i) {
                append(sent[i].first, sent[i].second);  // the replay since the last checkpoint
            }
        }
        if (random.chance(0.1)) {
            const std::int64_t oldest_ms = to_epoch_ms(*history_->since());
            ASSERT_LE(oldest_ms, std::max(100 * day_ms, newest_ms / day_ms * day_ms - 4 * day_ms));
            const std::int64_t at_ms =
                oldest_ms +
                static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(newest_ms - oldest_ms) + 1'000'000));
            ASSERT_EQ(picture(at_ms), expected(at_ms)) << "at " << at_ms;
            std::vector<std::int64_t> listed;
            for (const Transition& transition : all(device)) {
                listed.push_back(transition.offset);
            }
            std::vector<std::int64_t> known;
            const std::int64_t kept_ms = newest_ms / day_ms * day_ms - 4 * day_ms;
            for (auto at = model_[device].rbegin(); at != model_[device].rend() && at->first.first >= kept_ms; ++at) {
                if (!at->second.moved) {
                    known.push_back(at->second.offset);
                }
            }
            ASSERT_EQ(listed, known);
        }
    }
    const auto checked = history_->verify([](const EmbeddedPresenceHistory::Checked&) { return true; });
    ASSERT_TRUE(checked);
    EXPECT_EQ(checked->damaged, 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PresenceHistoryModel, ::testing::Range<std::uint64_t>(1, 5));

TEST(PresenceCodec, rows_that_are_short_or_of_another_version_are_refused) {
    Transition made;
    made.time = from_epoch_ms(5000);
    made.region = "in/ka";
    made.gateway = "gw";
    const std::string key = presence_key("a", made.time, 3);
    std::string row = encode_presence(made);
    ASSERT_TRUE(decode_presence(key, row));
    EXPECT_FALSE(decode_presence(key, row.substr(0, row.size() - 1)));
    EXPECT_FALSE(decode_presence(key, row + "x"));
    EXPECT_FALSE(decode_presence(key.substr(1), row)) << "no device";
    EXPECT_FALSE(decode_presence(key + "x", row));
    row[0] = 2;
    EXPECT_FALSE(decode_presence(key, row));
}

TEST(PresenceCodec, a_chunk_comes_out_as_it_went_in_and_a_changed_byte_is_noticed) {
    PresenceChunkBuilder builder;
    std::vector<std::string> ids;
    for (int i = 0; !builder.full(); ++i) {
        ids.push_back(fmt::format("device-{:06}", i * 7));
        builder.add({ids.back(), static_cast<PresenceState>(i % 4), Cause::will, static_cast<Overlays>(i % 8),
                     from_epoch_ms(1'700'000'000'000 - i * 12'345), i % 3 == 0 ? "in/ka" : "ng/lagos"});
    }
    const std::string packed = builder.take();
    EXPECT_TRUE(builder.empty());
    EXPECT_LE(packed.size(), ids.size() * 13);
    PresenceChunk chunk;
    ASSERT_TRUE(chunk.decode(packed));
    ASSERT_EQ(chunk.size(), ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const PastPresence device = chunk.device(i);
        EXPECT_EQ(device.device, ids[i]);
        EXPECT_EQ(device.state, static_cast<PresenceState>(i % 4));
        EXPECT_EQ(device.overlays, i % 8);
        EXPECT_EQ(to_epoch_ms(device.since), 1'700'000'000'000 - static_cast<std::int64_t>(i) * 12'345);
        EXPECT_EQ(device.region, i % 3 == 0 ? "in/ka" : "ng/lagos");
    }
    for (std::size_t at = 8; at < packed.size(); at += 97) {
        std::string damaged = packed;
        damaged[at] = static_cast<char>(damaged[at] ^ 4);
        EXPECT_FALSE(chunk.decode(damaged));
        EXPECT_EQ(chunk.size(), 0U);
    }
    EXPECT_FALSE(chunk.decode(""));
}

}  // namespace
}  // namespace muster
