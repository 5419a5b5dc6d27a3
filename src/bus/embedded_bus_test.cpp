#include "bus/embedded_bus.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "bus/bus_conformance.h"
#include "storage/embedded_full_disk.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

class EmbeddedUnderTest final : public BusUnderTest {
 public:
    explicit EmbeddedUnderTest(std::size_t tail_bytes_max) : tail_bytes_max_(tail_bytes_max) { start(); }

    Bus& bus() override { return *bus_; }
    void restart() override {
        bus_.reset();
        start();
    }
    [[nodiscard]] bool compacts_at_once() const override { return true; }

 private:
    void start() {
        auto opened = EmbeddedBus::open(
            {.directory = directory_.path(), .partitions = 8, .tail_bytes_max = tail_bytes_max_}, metrics_);
        ASSERT_TRUE(opened) << opened.error().message();
        bus_ = std::move(*opened);
    }

    const std::size_t tail_bytes_max_;
    ScratchDirectory directory_;
    MetricRegistry metrics_;
    std::unique_ptr<EmbeddedBus> bus_;
};

// With a tail that holds one batch a partition, readers live on the store.
INSTANTIATE_TEST_SUITE_P(EmbeddedInMemory, BusConformance,
                         ::testing::Values([] { return std::make_unique<EmbeddedUnderTest>(32U << 20U); }));
INSTANTIATE_TEST_SUITE_P(EmbeddedFromStore, BusConformance,
                         ::testing::Values([] { return std::make_unique<EmbeddedUnderTest>(0); }));

class EmbeddedBusFixture : public ::testing::Test {
 protected:
    Result<std::unique_ptr<EmbeddedBus>> try_open(Partition partitions = 2) {
        return EmbeddedBus::open({.directory = directory_.path(), .partitions = partitions, .tail_bytes_max = 0},
                                 metrics_);
    }
    std::unique_ptr<EmbeddedBus> open() {
        auto bus = try_open();
        EXPECT_TRUE(bus) << (bus ? "" : bus.error().message());
        return bus ? std::move(*bus) : nullptr;
    }
    static TopicId topic(Bus& bus, std::uint64_t retention_bytes = 1ULL << 30U) {
        TopicSpec spec;
        spec.name = "t";
        spec.retention_bytes = retention_bytes;
        return bus.open_topic(spec).value_or(TopicId{0});
    }
    static void send(Bus& bus, TopicId id, std::string_view value, int count = 1) {
        const auto producer = bus.producer({.name = "p", .on_deliveries_ready = {}});
        for (int i = 0; i < count; ++i) {
            ASSERT_TRUE(producer->send(id, {.key = "k", .value = value, .headers = {}, .partition = 0}, 0));
        }
        ASSERT_TRUE(producer->drain(Millis(20'000)));
    }
    static std::vector<KeptRecord> read_all(Bus& bus) {
        auto consumer = bus.consumer({.group = {}, .topics = {"t"}});
        std::vector<KeptRecord> records;
        while (consumer && !(*consumer)->caught_up()) {
            const auto polled =
                (*consumer)->poll(Millis(0), [&](const ConsumerRecord& one) { records.push_back(keep(one)); });
            EXPECT_TRUE(polled) << (polled ? "" : polled.error().message());
            if (!polled) {
                break;
            }
        }
        return records;
    }
    double counter(const std::string& name) {
        const std::string text = metrics_.render();
        const auto at = text.find("\n" + name);
        return at == std::string::npos ? 0 : std::stod(text.substr(text.find(' ', at)));
    }

    ScratchDirectory directory_;
    MetricRegistry metrics_;
};

TEST_F(EmbeddedBusFixture, another_number_of_partitions_is_refused_in_words) {
    ASSERT_TRUE(try_open(2));
    const auto opened = try_open(3);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(opened.error().message().find("has 2 partitions, not 3"), std::string::npos) << opened.error().message();
}

TEST_F(EmbeddedBusFixture, a_second_bus_on_the_directory_is_refused_in_words) {
    const auto bus = open();
    const auto second = try_open();
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message().find("another muster is using"), std::string::npos) << second.error().message();
}

TEST_F(EmbeddedBusFixture, options_out_of_range_are_refused) {
    EXPECT_FALSE(try_open(0));
    EXPECT_FALSE(try_open(5000));
    EXPECT_FALSE(EmbeddedBus::open({.directory = directory_.path(), .commit_interval = Millis(50)}, metrics_));
}

TEST_F(EmbeddedBusFixture, a_topic_stays_bounded_or_compacted) {
    TopicSpec spec;
    spec.name = "t";
    auto bus = open();
    ASSERT_TRUE(bus->open_topic(spec));
    spec.cleanup = TopicSpec::Cleanup::compacted;
    EXPECT_FALSE(bus->open_topic(spec));
    bus.reset();
    bus = open();
    const auto opened = bus->open_topic(spec);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::conflict);
}

TEST_F(EmbeddedBusFixture, the_oldest_records_go_when_a_topic_is_over_its_size_and_offsets_go_on) {
    constexpr std::uint64_t retention = 1U << 20U;
    auto bus = open();
    TopicId id = topic(*bus, retention);
    const std::string value(1000, 'x');
    Offset first = 0;
    for (int round = 0; round < 100 && first == 0; ++round) {
        send(*bus, id, value, 500);
        const auto records = read_all(*bus);
        ASSERT_FALSE(records.empty());
        first = records.front().offset;
    }
    EXPECT_GT(first, 0) << "nothing was dropped";
    EXPECT_GT(counter("muster_bus_skipped_offsets_total"), 0);
    const Offset last = read_all(*bus).back().offset;
    bus.reset();
    bus = open();
    id = topic(*bus, retention);
    send(*bus, id, "next");
    EXPECT_EQ(read_all(*bus).back().offset, last + 1);
}

TEST_F(EmbeddedBusFixture, a_reader_that_was_passed_by_retention_goes_on_with_the_oldest_record) {
    const auto bus = open();
    const TopicId id = topic(*bus, 1U << 20U);
    const std::string value(1000, 'x');
    send(*bus, id, value, 10);
    auto slow = bus->consumer({.group = "slow", .topics = {"t"}, .poll_records_max = 5});
    ASSERT_TRUE(slow);
    ASSERT_EQ((*slow)->poll(Millis(1000), [](const ConsumerRecord&) {}).value_or(0), 5U);
    (*slow)->seek("t", 0, 5);  // lets go of what it had read ahead
    while (read_all(*bus).front().offset < 10) {
        send(*bus, id, value, 500);
    }
    Offset next = -1;
    ASSERT_TRUE((*slow)->poll(Millis(1000), [&](const ConsumerRecord& one) { next = next < 0 ? one.offset : next; }));
    EXPECT_GE(next, 10);
}

/// Flips a bit in the middle of every table file.
void damage_tables(const std::string& directory) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        if (entry.path().extension() == ".sst") {
            std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
            const auto at = static_cast<std::streamoff>(std::filesystem::file_size(entry.path()) / 2);
            file.seekg(at);
            const char was = static_cast<char>(file.get());
            file.seekp(at);
            file.put(static_cast<char>(was ^ 1));
        }
    }
}

TEST_F(EmbeddedBusFixture, damaged_blocks_are_counted_and_skipped_and_the_rest_is_read) {
    constexpr std::uint64_t retention = 64U << 20U;  // memtables of 8 MiB
    auto bus = open();
    TopicId id = topic(*bus, retention);
    const std::string value(1000, 'x');
    int sent = 0;
    const auto has_tables = [this] {
        int tables = 0;
        for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
            tables += entry.path().extension() == ".sst" ? 1 : 0;
        }
        return tables > 1;  // the first is complete by then
    };
    for (; sent < 100'000 && !has_tables(); sent += 200) {
        send(*bus, id, value, 200);
    }
    bus.reset();
    damage_tables(directory_.path());
    bus = open();
    ASSERT_NE(bus, nullptr);
    id = topic(*bus, retention);
    const auto records = read_all(*bus);
    EXPECT_LT(records.size(), static_cast<std::size_t>(sent));
    EXPECT_GT(records.size(), static_cast<std::size_t>(sent) / 2);
    EXPECT_GT(counter("muster_bus_damaged_batches_total"), 0);
    Offset last = -1;
    for (const KeptRecord& one : records) {
        EXPECT_GT(one.offset, last);
        EXPECT_EQ(one.value, value);
        last = one.offset;
    }
    EXPECT_EQ(last, sent - 1);
    send(*bus, id, "more");
    EXPECT_EQ(read_all(*bus).back().value, "more");
}

TEST_F(EmbeddedBusFixture, a_damaged_directory_is_an_error_that_names_it) {
    open().reset();
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
        if (entry.path().filename().string().starts_with("MANIFEST")) {
            std::filesystem::resize_file(entry.path(), 10);
        }
    }
    const auto opened = try_open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
    EXPECT_NE(opened.error().message().find(directory_.path()), std::string::npos);
}

TEST_F(EmbeddedBusFixture, a_full_disk_fails_deliveries_and_reading_goes_on_until_there_is_room_again) {
    const auto disk = std::make_shared<FullDisk>();
    const auto env = rocksdb::NewCompositeEnv(disk);
    auto opened = EmbeddedBus::open({.directory = directory_.path(), .partitions = 2, .env = env.get()}, metrics_);
    ASSERT_TRUE(opened);
    Bus& bus = **opened;
    const TopicId id = topic(bus);
    send(bus, id, "before");
    const auto producer = bus.producer({.name = "p", .on_deliveries_ready = {}});
    std::vector<Delivery> deliveries;
    const auto try_send = [&](std::string_view value) {
        deliveries.clear();
        ASSERT_TRUE(producer->send(id, {.key = "k", .value = value, .headers = {}, .partition = 0}, 1));
        ASSERT_TRUE(producer->drain(Millis(20'000)));
        (void)producer->poll([&](const Delivery& delivery) { deliveries.push_back(delivery); });
        ASSERT_EQ(deliveries.size(), 1U);
    };
    disk->full = true;
    for (int i = 0; i < 5; ++i) {
        try_send("lost");
        EXPECT_FALSE(deliveries[0].durable);
        EXPECT_EQ(deliveries[0].error, ErrorCode::io);
    }
    EXPECT_EQ(read_all(bus).size(), 1U);
    EXPECT_EQ(counter("muster_bus_failed_records_total"), 5);

    disk->full = false;
    for (int i = 0; i < 1000 && !deliveries[0].durable; ++i) {
        try_send("after");
    }
    EXPECT_TRUE(deliveries[0].durable);
    const auto records = read_all(bus);
    EXPECT_EQ(records.size(), 2U);
    EXPECT_EQ(records.back().value, "after");
}

TEST_F(EmbeddedBusFixture, old_tombstones_are_dropped_by_newer_ones) {
    TopicSpec spec;
    spec.name = "t";
    spec.cleanup = TopicSpec::Cleanup::compacted;
    const auto bus = open();
    const TopicId id = bus->open_topic(spec).value_or(TopicId{0});
    const auto producer = bus->producer({.name = "p", .on_deliveries_ready = {}});
    const auto forget = [&](std::string_view key, Timestamp time) {
        ASSERT_TRUE(producer->send(id, {.key = key, .value = {}, .headers = {}, .time = time, .tombstone = true}, 0));
        ASSERT_TRUE(producer->drain(Millis(20'000)));
    };
    const Timestamp start = from_epoch_ms(1'700'000'000'000);
    forget("a", start);
    forget("b", start + std::chrono::hours(1));
    EXPECT_EQ(read_all(*bus).size(), 2U) << "a slow reader must still see them";
    forget("c", start + std::chrono::hours(24) + Millis(1));
    const auto left = read_all(*bus);
    ASSERT_EQ(left.size(), 2U);
    std::set<std::string> keys{left[0].key, left[1].key};
    EXPECT_EQ(keys, (std::set<std::string>{"b", "c"}));
}

// kill -9: a child process writes and tells which tokens were acknowledged; then it is killed and its directory is
// read.

constexpr int child_pipe = 3;
constexpr const char* child_directory = "MUSTER_TEST_BUS_DIRECTORY";

/// Not a test of its own: what the child process of the next one runs.
TEST(EmbeddedBusChild, DISABLED_writes_and_tells_what_was_acknowledged) {
    const char* directory = std::getenv(child_directory);
    ASSERT_NE(directory, nullptr);
    MetricRegistry metrics;
    auto bus = EmbeddedBus::open({.directory = directory, .partitions = 2, .commit_interval = Millis(1)}, metrics);
    ASSERT_TRUE(bus);
    const TopicId topic = (*bus)->open_topic({.name = "t"}).value_or(TopicId{0});
    const auto producer = (*bus)->producer({.name = "p", .on_deliveries_ready = {}});
    // Tokens go on growing over the lives of the directory.
    std::uint64_t token = static_cast<std::uint64_t>(::getpid()) << 32U;
    while (true) {
        for (int i = 0; i < 20; ++i) {
            const std::string value = std::to_string(++token);
            ASSERT_TRUE(producer->send(topic, {.key = value, .value = value, .headers = {}}, token));
        }
        ASSERT_TRUE(producer->drain(Millis(20'000)));
        (void)producer->poll([](const Delivery& delivery) {
            ASSERT_TRUE(delivery.durable);
            ASSERT_EQ(::write(child_pipe, &delivery.token, sizeof(delivery.token)),
                      static_cast<ssize_t>(sizeof(delivery.token)));
        });
    }
}

pid_t start_child(const std::string& directory, int pipe_end) {
    ::setenv(child_directory, directory.c_str(), 1);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_end, child_pipe);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    std::string self = "/proc/self/exe";
    std::string filter = "--gtest_filter=EmbeddedBusChild.*";
    std::string disabled = "--gtest_also_run_disabled_tests";
    char* const arguments[] = {self.data(), filter.data(), disabled.data(), nullptr};
    pid_t child = 0;
    EXPECT_EQ(::posix_spawn(&child, self.c_str(), &actions, nullptr, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

TEST_F(EmbeddedBusFixture, kill_9_at_any_instant_loses_nothing_that_was_acknowledged) {
    Random random(9);
    std::set<std::string> acknowledged;
    for (int life = 0; life < 20; ++life) {
        int ends[2];
        ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        const pid_t child = start_child(directory_.path(), ends[1]);
        ::close(ends[1]);
        std::uint64_t token = 0;
        const std::size_t enough = acknowledged.size() + 1 + random.below(200);
        while (::read(ends[0], &token, sizeof(token)) == static_cast<ssize_t>(sizeof(token))) {
            acknowledged.insert(std::to_string(token));
            if (acknowledged.size() == enough) {
                ::kill(child, SIGKILL);
            }
        }
        ::close(ends[0]);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
        const auto bus = open();
        ASSERT_NE(bus, nullptr);
        (void)topic(*bus);
        std::multiset<std::string> kept;
        for (const KeptRecord& one : read_all(*bus)) {
            kept.insert(one.value);
        }
        for (const std::string& one : acknowledged) {
            ASSERT_EQ(kept.count(one), 1U) << "life " << life;
        }
    }
}

}  // namespace
}  // namespace muster
