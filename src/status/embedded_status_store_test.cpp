#include "status/embedded_status_store.h"

#include <atomic>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "status/device_codec.h"
#include "status/status_store_conformance.h"
#include "storage/embedded_rocksdb.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

class EmbeddedUnderTest final : public StatusStoreUnderTest {
 public:
    EmbeddedUnderTest() { start(); }
    StatusStore& store() override { return *store_; }
    void restart() override {
        store_.reset();
        start();
    }

 private:
    void start() {
        auto opened = EmbeddedStatusStore::open({.directory = directory_.path() + "/status"}, metrics_);
        ASSERT_TRUE(opened) << opened.error().message();
        store_ = std::move(*opened);
    }

    ScratchDirectory directory_;
    MetricRegistry metrics_;
    std::unique_ptr<EmbeddedStatusStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Embedded, StatusStoreConformance,
                         ::testing::Values([] { return std::make_unique<EmbeddedUnderTest>(); }));

StatusDocument document(const std::string& id, std::int64_t offset, PresenceState state = PresenceState::online) {
    StatusDocument made;
    made.id = id;
    made.offset = offset;
    made.state = state;
    return made;
}

TEST(EmbeddedStatusStore, a_device_over_the_bound_is_left_out_and_counted) {
    const ScratchDirectory directory;
    MetricRegistry metrics;
    const auto store = EmbeddedStatusStore::open({.directory = directory.path(), .devices_max = 2}, metrics);
    ASSERT_TRUE(store);
    const std::vector<StatusDocument> documents{document("a", 1), document("b", 2), document("c", 3),
                                                document("bad id", 4)};
    ASSERT_TRUE((*store)->apply(documents, {}));
    EXPECT_EQ((*store)->counts("")->total(), 2);
    EXPECT_NE(metrics.render().find("muster_status_left_out_total 2"), std::string::npos);
}

TEST(EmbeddedStatusStore, a_damaged_snapshot_is_an_error_that_names_the_directory) {
    const ScratchDirectory directory;
    MetricRegistry metrics;
    {
        const auto database = RocksDatabase::open({.directory = directory.path(), .what = "test"});
        ASSERT_TRUE(database);
        ASSERT_TRUE((*database)->db().Put(rocksdb::WriteOptions(), "d1", "not a device").ok());
    }
    const auto store = EmbeddedStatusStore::open({.directory = directory.path()}, metrics);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::corrupt);
    EXPECT_NE(store.error().message().find(directory.path()), std::string::npos);
}

TEST(EmbeddedStatusStore, readers_and_writers_at_once_see_whole_devices) {
    const ScratchDirectory directory;
    MetricRegistry metrics;
    const auto opened = EmbeddedStatusStore::open({.directory = directory.path()}, metrics);
    ASSERT_TRUE(opened);
    EmbeddedStatusStore& store = **opened;
    std::atomic<bool> done{false};
    std::thread reader([&] {
        while (!done) {
            const auto page = store.list({}, "", 100);
            ASSERT_TRUE(page);
            for (const DeviceStatus& device : page->devices) {
                EXPECT_EQ(device.document.gateway, "gw-" + std::to_string(device.document.offset));
            }
            const auto counts = store.counts("");
            ASSERT_TRUE(counts);
            EXPECT_LE(counts->total(), 500);
        }
    });
    std::thread checkpointer([&] {
        while (!done) {
            EXPECT_TRUE(store.checkpoint());
        }
    });
    std::int64_t offset = 0;
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 500; ++i) {
            StatusDocument one = document("d" + std::to_string(i), ++offset);
            one.gateway = "gw-" + std::to_string(offset);
            ASSERT_TRUE(store.apply({&one, 1}, {}));
        }
    }
    done = true;
    reader.join();
    checkpointer.join();
    EXPECT_EQ(store.counts("")->online, 500);
}

TEST(DeviceCodec, every_damage_is_noticed) {
    DeviceStatus device;
    device.document = document("d1", 7);
    device.document.attributes.region = "in/ka";
    device.metrics = {{"temp", 1.5}};
    std::string packed;
    encode_device(device, packed);
    const auto decoded = decode_device("d1", packed);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(to_json(decoded->document), to_json(device.document));
    EXPECT_EQ(decoded->metrics, device.metrics);
    for (std::size_t size = 0; size < packed.size(); ++size) {
        EXPECT_FALSE(decode_device("d1", std::string_view(packed).substr(0, size)));
    }
    for (std::size_t bit = 0; bit < packed.size() * 8; ++bit) {
        std::string bad = packed;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(decode_device("d1", bad)) << bit;
    }
}

TEST(TextPool, a_text_goes_with_its_last_user_and_its_number_is_used_again) {
    TextPool pool;
    const auto first = pool.acquire("gw-1");
    EXPECT_EQ(pool.acquire("gw-1"), first);
    pool.release(first);
    EXPECT_EQ(pool.find("gw-1"), first);
    pool.release(first);
    EXPECT_EQ(pool.find("gw-1"), TextPool::absent);
    auto number = pool.acquire("gw-2");
    EXPECT_EQ(number, first);
    pool.replace(number, "");
    EXPECT_EQ(number, 0U);
    EXPECT_EQ(pool.text(number), "");
    EXPECT_EQ(pool.find("gw-2"), TextPool::absent);
}

}  // namespace
}  // namespace muster
