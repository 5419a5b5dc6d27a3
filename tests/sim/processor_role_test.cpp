#include <array>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "contract/bus_topics.h"
#include "processor/checkpoint_topic.h"
#include "processor/partition_fold.h"
#include "processor/processor.h"
#include "processor/snapshot_file.h"
#include "role_fixture.h"

namespace muster::sim {
namespace {

using enum PresenceState;

struct ProcessorRole : RoleFixture {
    void SetUp() override {
        RoleFixture::SetUp();
        events = open(bus_topics::events);
        options.data_directory = directory.path() + "/processor";
        options.idle = Millis(5);
        options.retry = Millis(5);
    }
    void TearDown() override {
        processor.reset();
        RoleFixture::TearDown();
    }
    void start() {
        auto started = Processor::start(options, *bus, stores, stores, clock, metrics);
        ASSERT_TRUE(started) << started.error().message();
        processor = std::move(*started);
    }
    void write(EventKind kind, std::string_view device, SessionEpoch epoch, std::string_view value = {},
               Cause cause = Cause::none, Partition partition = any_partition) {
        EventHeader header;
        header.kind = kind;
        header.epoch = epoch;
        header.cause = cause;
        header.received = now;
        header.incarnation = 1;
        header.sequence = kind == EventKind::tick ? ticks : 0;
        header.gateway = "gw-a";
        std::string packed;
        encode(header, packed);
        const std::array<RecordHeader, 1> headers{RecordHeader{event_header_name, packed}};
        send(events, device, value, headers, partition);
    }
    void tick(int seconds) {
        for (int i = 0; i < seconds; ++i) {
            now += Seconds(1);
            ++ticks;
            for (Partition partition = 0; partition < partitions; ++partition) {
                write(EventKind::tick, {}, 0, {}, Cause::none, partition);
            }
        }
    }

    /// A device of this partition: when it is online, all that was written before it has been folded.
    [[nodiscard]] static std::string last_of(Partition partition) {
        int number = 0;
        while (partition_of(fmt::format("last-{}", number), partitions) != partition) {
            ++number;
        }
        return fmt::format("last-{}", number);
    }
    [[nodiscard]] std::string saved_snapshot(Partition partition) const {
        const auto bytes =
            read_snapshot_file(fmt::format("{}/partition-{:05}.fold", options.data_directory, partition));
        return bytes && *bytes ? **bytes : std::string();
    }
    /// Of a fold that was given every record of the partition, one after the other.
    [[nodiscard]] std::string unkilled_snapshot(Partition partition) {
        FoldOptions fold_options;
        fold_options.partition = partition;
        PartitionFold fold(fold_options);
        FoldOutput out;
        CheckpointTopic reader(*bus);
        const auto read = reader.read_all(bus_topics::events, partition, [&](const ConsumerRecord& record) {
            fold.apply(record.header(event_header_name), record.key, record.value, record.offset, out);
        });
        EXPECT_TRUE(read);
        return fold.snapshot();
    }

    void start_with_two_devices() {
        start();
        write(EventKind::connect, "d", 1);
        write(EventKind::connect, "e", 1);
        tick(2);
        send_durably();
        ASSERT_TRUE(stores.wait_for_state("d", online));
        ASSERT_TRUE(stores.wait_for_state("e", online));
    }

    TopicId events = 0;
    std::uint64_t ticks = 0;
    ProcessorOptions options;
    RecordingStores stores;
    ManualClock clock;
    std::unique_ptr<Processor> processor;
};

TEST_F(ProcessorRole, what_the_last_checkpoint_could_not_save_is_saved_as_its_partitions_are_given_up) {
    start_with_two_devices();  // whose partitions are saved by now, and again in record time only
    const Partition partition = partition_of("d", partitions);
    write(EventKind::connect, last_of(partition), 1);
    send_durably();
    ASSERT_TRUE(stores.wait_for_state(last_of(partition), online));
    ASSERT_TRUE(stores.wait([](RecordingStores& seen) { return (seen.checkpoints_to_fail_ = 1) != 0; }));
    processor->stop();
    EXPECT_NE(saved_snapshot(partition), unkilled_snapshot(partition));
    processor.reset();
    EXPECT_EQ(saved_snapshot(partition), unkilled_snapshot(partition));
}

TEST_F(ProcessorRole, writes_what_follows_from_the_records_to_the_stores_and_the_bus) {
    start();
    write(EventKind::connect, "d", 1, R"({"address":"192.0.2.7:1","protocol":"3.1.1"})");
    write(EventKind::status, "d", 1, R"({"status":"ONLINE","region":"in/ka"})");
    write(EventKind::telemetry, "d", 1, R"({"battery":80})");
    tick(3);
    write(EventKind::disconnect, "d", 1, {}, Cause::client_disconnect);
    tick(2);
    send_durably();
    ASSERT_TRUE(stores.wait_for_state("d", offline));
    ASSERT_TRUE(stores.wait([](RecordingStores& written) { return !written.samples_["d/battery"].empty(); }));
    EXPECT_EQ(stores.transitions_["d"].size(), 2U);
    processor->stop();

    std::map<std::string, std::string> last;
    for (const std::string_view topic : {bus_topics::status, bus_topics::regions, bus_topics::messages}) {
        for (const auto& [key, value] : read_all(topic)) {
            last[key] = value;
        }
    }
    const auto document = parse_status_document(last["d"]);
    ASSERT_TRUE(document);
    EXPECT_EQ(document->cause, Cause::client_disconnect);
    const auto report = parse_region_report(last[region_report_key(partition_of("d", partitions), "in/ka")]);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->counts.offline, 1);
    EXPECT_TRUE(last.contains("$aws/events/presence/connected/d"));
    EXPECT_TRUE(last.contains("$aws/events/presence/disconnected/d"));
    EXPECT_EQ(processor->progress().records, 4U + 5 * partitions);
    EXPECT_EQ(processor->progress().newest, now);
    const std::string rendered = metrics.render();
    EXPECT_NE(rendered.find("muster_processor_records_total{kind=\"telemetry\"} 1"), std::string::npos) << rendered;
    EXPECT_NE(rendered.find("muster_processor_visible_seconds_count{cause=\"client_disconnect\"} 1"),
              std::string::npos);
}

TEST_F(ProcessorRole, goes_on_from_its_snapshots_after_a_restart) {
    start();
    write(EventKind::connect, "d", 1);
    tick(1);
    send_durably();
    ASSERT_TRUE(stores.wait_for_state("d", online));
    processor->stop();
    const std::uint64_t before = processor->progress().records;
    processor.reset();
    EXPECT_EQ(before, 1U + partitions);

    start();
    write(EventKind::will, "d", 1, "OFFLINE");
    send_durably();
    ASSERT_TRUE(stores.wait_for_state("d", offline));
    EXPECT_EQ(processor->progress().records, 1U) << "nothing is read twice";
    EXPECT_EQ(stores.documents_["d"].cause, Cause::will);
}

TEST_F(ProcessorRole, makes_checkpoints_as_partition_time_goes_on) {
    start();
    write(EventKind::connect, "d", 1);
    tick(12);
    send_durably();
    EXPECT_TRUE(stores.wait([](RecordingStores& written) { return written.checkpoints_ >= 2; }));
    EXPECT_TRUE(stores.wait_for_state("d", online));
}

TEST_F(ProcessorRole, repeats_what_a_store_refused_and_loses_nothing) {
    stores.refuse(true);
    start();
    write(EventKind::connect, "d", 1);
    send_durably();
    ASSERT_TRUE(stores.wait([](RecordingStores& written) { return written.refused_ >= 3; }));
    stores.refuse(false);
    EXPECT_TRUE(stores.wait_for_state("d", online));
}

// G2, G9
TEST_F(ProcessorRole, a_batch_that_was_never_handed_over_is_folded_again_with_the_same_outcome) {
    start();
    write(EventKind::connect, "d", 1);
    tick(6);
    send_durably();
    ASSERT_TRUE(stores.wait_for_state("d", online));
    processor.reset();

    stores.refuse(true);
    start();
    write(EventKind::telemetry, "d", 1, R"({"battery":80})");
    write(EventKind::disconnect, "d", 1, {}, Cause::connection_lost);
    send_durably();
    ASSERT_TRUE(stores.wait([](RecordingStores& written) { return written.refused_ >= 1; }));
    processor.reset();  // stopped with a batch in its hands: as good as killed

    stores.refuse(false);
    start();
    ASSERT_TRUE(stores.wait_for_state("d", offline));
    EXPECT_EQ(stores.transitions_["d"].size(), 2U);
    EXPECT_EQ(stores.samples_["d/battery"].size(), 1U) << "the sample handed over twice is one sample";
}

TEST_F(ProcessorRole, folds_a_partition_anew_when_its_snapshot_is_damaged_and_the_bus_has_none) {
    options.bus_checkpoint_interval = std::chrono::hours(24 * 366 * 100);
    start();
    write(EventKind::connect, "d", 1);
    tick(1);
    send_durably();
    ASSERT_TRUE(stores.wait_for_state("d", online));
    processor.reset();
    for (const auto& file : std::filesystem::directory_iterator(options.data_directory)) {
        std::ofstream(file.path(), std::ios::trunc) << "not a snapshot";
    }
    start();
    write(EventKind::disconnect, "d", 1, {}, Cause::client_disconnect);
    send_durably();
    ASSERT_TRUE(stores.wait_for_state("d", offline));
    EXPECT_EQ(stores.documents_["d"].disconnects, 1U);
    EXPECT_NE(metrics.render().find("muster_processor_damaged_snapshots_total 4"), std::string::npos);
}

// G9
TEST_F(ProcessorRole, on_a_new_disk_goes_on_from_the_bus_and_ends_as_one_that_was_never_killed) {
    options.bus_checkpoint_interval = Millis(0);
    start();
    write(EventKind::connect, "d", 1, R"({"address":"192.0.2.7:1","protocol":"3.1.1"})");
    write(EventKind::telemetry, "d", 1, R"({"battery":80})");
    tick(12);
    send_durably();
    ASSERT_TRUE(stores.wait_for_state("d", online));
    processor.reset();
    std::filesystem::remove_all(options.data_directory);

    write(EventKind::will, "d", 1, "OFFLINE");
    tick(3);
    for (Partition partition = 0; partition < partitions; ++partition) {
        write(EventKind::connect, last_of(partition), 1);
    }
    send_durably();
    start();
    ASSERT_TRUE(stores.wait_for_state("d", offline));
    for (Partition partition = 0; partition < partitions; ++partition) {
        ASSERT_TRUE(stores.wait_for_state(last_of(partition), online));
    }
    processor->stop();
    EXPECT_EQ(processor->progress().records, 1U + 4 * partitions) << "only what came after the checkpoint";
    EXPECT_NE(metrics.render().find("muster_processor_bus_restores_total 4"), std::string::npos);
    for (Partition partition = 0; partition < partitions; ++partition) {
        EXPECT_TRUE(saved_snapshot(partition) == unkilled_snapshot(partition)) << "partition " << partition;
    }
}

TEST_F(ProcessorRole, fills_a_new_status_store_from_the_bus) {
    ASSERT_NO_FATAL_FAILURE(start_with_two_devices());
    processor.reset();
    stores.documents_.clear();
    start();
    EXPECT_TRUE(stores.wait_for_state("d", online)) << "no record has come since";
    EXPECT_TRUE(stores.wait_for_state("e", online));
}

TEST_F(ProcessorRole, fills_a_status_store_that_has_lost_what_it_was_given) {
    ASSERT_NO_FATAL_FAILURE(start_with_two_devices());
    stores.lose_documents();
    write(EventKind::connect, "f", 1);
    send_durably();
    EXPECT_TRUE(stores.wait_for_state("d", online)) << "no record of it has come since";
    EXPECT_TRUE(stores.wait_for_state("e", online));
    EXPECT_TRUE(stores.wait_for_state("f", online));
}

TEST_F(ProcessorRole, a_checkpoint_on_the_bus_that_was_cut_short_leaves_the_older_one) {
    const TopicId topic = open(bus_topics::checkpoints, TopicSpec::Cleanup::compacted);
    const auto drain = [&] { return producer->drain(patience); };
    int left = 1000;
    const auto send_some = [&](const ProducerRecord& record) {
        return left-- > 0 && producer->send(topic, record, 0).has_value();
    };
    const std::string older(CheckpointTopic::piece_bytes + 5, 'a');
    ASSERT_TRUE(CheckpointTopic::write(1, 0, older, send_some, drain));
    left = 1;
    EXPECT_FALSE(CheckpointTopic::write(1, 1, std::string(CheckpointTopic::piece_bytes + 7, 'b'), send_some, drain));
    send_durably();
    CheckpointTopic reader(*bus);
    const auto found = reader.read(1);
    ASSERT_TRUE(found);
    ASSERT_TRUE(*found);
    EXPECT_EQ((*found)->place, 0U);
    EXPECT_TRUE((*found)->snapshot == older);
    EXPECT_FALSE(*reader.read(2)) << "another partition has none";
}

TEST_F(ProcessorRole, shares_its_partitions_among_threads) {
    options.threads = 3;
    start();
    for (int i = 0; i < 100; ++i) {
        write(EventKind::connect, "d" + std::to_string(i), 1);
    }
    tick(1);
    send_durably();
    EXPECT_TRUE(stores.wait([](RecordingStores& written) { return written.documents_.size() == 100; }));
    processor->stop();
    EXPECT_EQ(processor->progress().devices, 100U);
}

TEST_F(ProcessorRole, refuses_options_that_cannot_be) {
    options.threads = 0;
    EXPECT_FALSE(Processor::start(options, *bus, stores, stores, clock, metrics));
    options.threads = 1;
    options.data_directory = "/proc/no-such-place";
    EXPECT_FALSE(Processor::start(options, *bus, stores, stores, clock, metrics));
}

}  // namespace
}  // namespace muster::sim
