#include "status/redis_status_store.h"

#include <chrono>
#include <condition_variable>
#include <thread>

#include <gtest/gtest.h>

#include "status/status_store_conformance.h"
#include "storage/redis_test_server.h"

namespace muster {
namespace {

std::unique_ptr<RedisStatusStore> open(const RedisTestServer& server, MetricRegistry& metrics,
                                       RedisStatusStoreOptions options = {}) {
    options.redis = server.options();
    auto opened = RedisStatusStore::open(std::move(options), metrics);
    EXPECT_TRUE(opened) << opened.error().message();
    return std::move(*opened);
}

class RedisUnderTest final : public StatusStoreUnderTest {
 public:
    RedisUnderTest() : store_(open(server_, metrics_)) {}
    StatusStore& store() override { return *store_; }
    void restart() override {
        store_.reset();
        store_ = open(server_, metrics_);
    }

 private:
    RedisTestServer server_;
    MetricRegistry metrics_;
    std::unique_ptr<RedisStatusStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Redis, StatusStoreConformance,
                         ::testing::Values([] { return std::make_unique<RedisUnderTest>(); }));

/// A server, a store that writes as the processor role does, and one that only reads as the api role does.
class RedisStatus : public ::testing::Test {
 protected:
    static StatusDocument document(const std::string& id, std::int64_t offset,
                                   PresenceState state = PresenceState::online) {
        StatusDocument made;
        made.id = id;
        made.offset = offset;
        made.state = state;
        made.attributes.region = "in/ka";
        return made;
    }
    /// Until it succeeds, as the processor does.
    void apply(const std::vector<StatusDocument>& documents, const std::vector<StatusTouch>& touches = {}) {
        Result<void> applied;
        for (int attempt = 0; attempt < 1000; ++attempt) {
            applied = writer_->apply(documents, touches);
            if (applied) {
                return;
            }
            std::this_thread::sleep_for(Millis(10));
        }
        FAIL() << applied.error().message();
    }
    std::vector<std::string> list(const RedisStatusStore& store) {
        Result<DevicePage> page = fail(ErrorCode::unavailable, "not asked");
        for (int attempt = 0; attempt < 1000 && !page; ++attempt) {
            page = store.list({}, "", 1000);
        }
        std::vector<std::string> ids;
        EXPECT_TRUE(page);
        for (const DeviceStatus& device : page->devices) {
            ids.push_back(device.document.id);
        }
        return ids;
    }

    RedisTestServer server_;
    MetricRegistry metrics_;
    MetricRegistry reader_metrics_;
    std::unique_ptr<RedisStatusStore> writer_ = open(server_, metrics_);
    std::unique_ptr<RedisStatusStore> reader_ = open(server_, reader_metrics_);
};

TEST_F(RedisStatus, a_process_that_never_writes_reads_what_another_wrote) {
    const std::pair<std::string_view, double> values[] = {{"temp", 20.5}};
    apply({document("a", 1), document("b", 2, PresenceState::offline)},
          {{"a", from_epoch_ms(5000), from_epoch_ms(5000), values}});
    EXPECT_EQ(list(*reader_), (std::vector<std::string>{"a", "b"}));
    const auto device = reader_->get("a");
    ASSERT_TRUE(device && *device);
    EXPECT_EQ((*device)->metrics, (LatestMetrics{{"temp", 20.5}}));
    EXPECT_EQ(reader_->list({}, "", 1)->devices.front().metrics, (*device)->metrics);
    EXPECT_EQ(reader_->counts("in")->online, 1);
    EXPECT_EQ(reader_->regions()->size(), 3U);
}

TEST_F(RedisStatus, a_process_that_never_writes_hears_what_another_writes) {
    std::mutex mutex;
    std::vector<std::string> heard;
    const auto handle = reader_->watch(
        [&](const StatusDocument& one) {
            const std::lock_guard lock(mutex);
            heard.push_back(one.id + " " + std::string(name_of(one.state)));
        },
        [](const StatusTouch&) {});
    apply({document("a", 1)});
    apply({document("a", 1)});
    apply({document("a", 2, PresenceState::offline)});
    (void)list(*reader_);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(heard, (std::vector<std::string>{"a online", "a offline"}));
}

TEST_F(RedisStatus, two_writers_count_every_device_once) {
    const auto other = open(server_, metrics_, {.writer = "processor-2"});
    std::vector<StatusDocument> mine;
    std::vector<StatusDocument> others;
    for (int i = 0; i < 2000; ++i) {
        (i % 2 == 0 ? mine : others).push_back(document("d" + std::to_string(i), i + 1));
    }
    std::thread second([&] {
        for (int i = 0; i < 5; ++i) {
            EXPECT_TRUE(other->apply(others, {}));
        }
    });
    for (int i = 0; i < 5; ++i) {
        apply(mine);
    }
    second.join();
    EXPECT_EQ(reader_->counts("")->online, 2000);
    EXPECT_EQ(reader_->counts("in/ka")->online, 2000);
}

TEST_F(RedisStatus, while_redis_is_away_everything_is_unavailable_and_then_it_goes_on) {
    apply({document("a", 1)});
    EXPECT_EQ(list(*reader_).size(), 1U);
    server_.kill();
    const StatusDocument next = document("b", 2);
    const auto applied = writer_->apply({&next, 1}, {});
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, ErrorCode::unavailable);
    EXPECT_FALSE(writer_->checkpoint());
    EXPECT_FALSE(reader_->get("a"));
    EXPECT_FALSE(reader_->counts(""));
    EXPECT_FALSE(reader_->list({}, "", 10));
    server_.restart();
    apply({next});
    EXPECT_EQ(list(*reader_), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(writer_->losses(), 1U) << "a server that was restarted may have lost something";
}

TEST_F(RedisStatus, a_server_that_comes_back_empty_is_a_loss_and_readers_forget_what_is_gone) {
    apply({document("a", 1), document("b", 1)});
    EXPECT_EQ(list(*reader_).size(), 2U);
    EXPECT_EQ(writer_->losses(), 0U);
    server_.restart_empty();
    apply({document("c", 1)});
    EXPECT_EQ(writer_->losses(), 1U);
    EXPECT_EQ(list(*reader_), (std::vector<std::string>{"c"}));
    EXPECT_EQ(reader_->counts("")->total(), 1);
}

TEST_F(RedisStatus, a_server_that_is_emptied_while_it_runs_is_a_loss) {
    apply({document("a", 1), document("b", 1)});
    EXPECT_EQ(list(*reader_).size(), 2U);
    const auto connection = RedisConnection::open(server_.options());
    ASSERT_TRUE(connection && (*connection)->command({"FLUSHALL"}));
    apply({document("a", 1)});
    EXPECT_EQ(writer_->losses(), 1U);
    apply({document("a", 1)});
    EXPECT_EQ(writer_->losses(), 1U);
}

TEST_F(RedisStatus, a_server_restarted_while_no_writer_ran_is_a_loss_for_the_next) {
    apply({document("a", 1)});
    writer_.reset();
    server_.restart();
    writer_ = open(server_, metrics_);
    apply({document("a", 1)});
    EXPECT_EQ(writer_->losses(), 1U);
    writer_ = open(server_, metrics_);
    apply({document("a", 1)});
    EXPECT_EQ(writer_->losses(), 0U);
}

TEST_F(RedisStatus, scripts_that_the_server_forgot_are_loaded_again) {
    apply({document("a", 1)});
    const auto connection = RedisConnection::open(server_.options());
    ASSERT_TRUE(connection && (*connection)->command({"SCRIPT", "FLUSH"}));
    apply({document("a", 2)});
    EXPECT_EQ(reader_->get("a")->value().document.offset, 2);
}

TEST_F(RedisStatus, devices_over_the_bound_are_left_out_and_counted) {
    writer_ = open(server_, metrics_, {.devices_max = redis_status_shards});
    reader_ = open(server_, reader_metrics_, {.devices_max = redis_status_shards});
    std::vector<StatusDocument> documents{document("bad id", 1)};
    for (int i = 0; i < 200; ++i) {
        documents.push_back(document("d" + std::to_string(i), i + 1));
    }
    apply(documents);
    EXPECT_EQ(reader_->counts("")->total(), static_cast<std::int64_t>(redis_status_shards));
    EXPECT_EQ(list(*reader_).size(), redis_status_shards);
    EXPECT_NE(metrics_.render().find("muster_status_left_out_total 185"), std::string::npos);
}

TEST_F(RedisStatus, a_damaged_device_is_an_error_and_is_not_listed) {
    apply({document("a", 1), document("b", 1)});
    const auto connection = RedisConnection::open(server_.options());
    ASSERT_TRUE(connection);
    const RedisStatusKeys keys(redis_status_shard_of("a"));
    ASSERT_TRUE((*connection)->command({"HSET", keys.devices, "a", "rubbish"}));
    EXPECT_FALSE(reader_->get("a"));
    EXPECT_EQ(list(*reader_), (std::vector<std::string>{"b"}));
    EXPECT_NE(reader_metrics_.render().find("muster_status_mirror_damaged_total 1"), std::string::npos);
}

TEST_F(RedisStatus, a_reader_that_comes_late_or_was_cut_off_has_what_a_writer_says_meanwhile) {
    std::vector<StatusDocument> documents;
    for (int i = 0; i < 1500; ++i) {
        documents.push_back(document("d" + std::to_string(i), i + 1));
    }
    apply(documents);
    const auto connection = RedisConnection::open(server_.options());
    ASSERT_TRUE(connection);
    std::thread cutter([&] {
        for (int i = 0; i < 8; ++i) {
            EXPECT_TRUE((*connection)->command({"CLIENT", "KILL", "TYPE", "pubsub"}));
            (void)list(*reader_);
        }
    });
    std::int64_t offset = 10'000;
    for (int round = 0; round < 20; ++round) {
        for (StatusDocument& one : documents) {
            one.offset = ++offset;
        }
        apply(documents);
    }
    cutter.join();
    EXPECT_EQ(list(*reader_).size(), 1000U);
    const auto page = reader_->list({}, "", 1000);
    ASSERT_TRUE(page);
    for (const DeviceStatus& device : page->devices) {
        EXPECT_EQ(device.document.offset, reader_->get(device.document.id)->value().document.offset);
    }
}

TEST(RedisStatusStore, a_server_that_is_not_there_is_a_clear_error) {
    MetricRegistry metrics;
    const auto store = RedisStatusStore::open({.redis = {.port = 1}}, metrics);
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().message().find("redis://127.0.0.1:1"), std::string::npos) << store.error().message();
}

TEST(RedisStatusCodec, every_damage_of_a_batch_is_noticed) {
    RedisStatusBatch writer;
    StatusDocument document;
    document.id = "d1";
    writer.add(document);
    const std::pair<std::string_view, double> values[] = {{"temp", 20.5}, {"battery", 3.3}};
    writer.add(StatusTouch{"d1", from_epoch_ms(5), from_epoch_ms(5), values});
    const std::string batch = writer.take();
    std::size_t records = 0;
    const auto count = [&](const auto&) { ++records; };
    EXPECT_TRUE(read_status_batch(batch, count, count));
    EXPECT_EQ(records, 2U);
    for (std::size_t size = 0; size < batch.size(); ++size) {
        EXPECT_FALSE(read_status_batch(std::string_view(batch).substr(0, size), count, count)) << size;
    }
    EXPECT_FALSE(read_status_batch(batch + "x", count, count));
}

}  // namespace
}  // namespace muster
