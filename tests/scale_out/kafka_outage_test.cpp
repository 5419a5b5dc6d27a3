#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bus/bus_conformance_fixture.h"
#include "bus/kafka_client.h"
#include "bus/kafka_topics.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"
#include "kafka_fixture.h"

namespace muster {
namespace {

constexpr Millis long_wait{60'000};  ///< over only when a test fails

class KafkaBusFixture : public ::testing::Test {
 protected:
    std::unique_ptr<KafkaBus> open(Partition partitions = 2) {
        auto bus = KafkaBus::open(kafka_options(prefix_, partitions), metrics_);
        EXPECT_TRUE(bus) << (bus ? "" : bus.error().message());
        return bus ? std::move(*bus) : nullptr;
    }
    static TopicId topic(Bus& bus, TopicSpec::Cleanup cleanup = TopicSpec::Cleanup::bounded) {
        const auto id = bus.open_topic({.name = "t", .cleanup = cleanup});
        EXPECT_TRUE(id) << (id ? "" : id.error().message());
        return id.value_or(TopicId{0});
    }
    static ProducerRecord record(std::string_view value) {
        return {.key = "k", .value = value, .headers = {}, .partition = 0};
    }
    static void send_records(Bus& bus, int count) {
        const TopicId id = topic(bus);
        const auto producer = bus.producer({.name = "p", .on_deliveries_ready = {}});
        for (int i = 0; i < count; ++i) {
            ASSERT_TRUE(producer->send(id, record(std::to_string(i)), 0));
        }
        ASSERT_TRUE(producer->drain(long_wait));
    }
    static std::vector<KeptRecord> read_until(Consumer& consumer, std::size_t count) {
        std::vector<KeptRecord> records;
        constexpr Millis step{100};
        for (Millis waited{0}; records.size() < count && waited < long_wait; waited += step) {
            (void)consumer.poll(step, [&](const ConsumerRecord& one) { records.push_back(keep(one)); });
        }
        return records;
    }
    double metric(const std::string& name) {
        const std::string text = metrics_.render();
        const auto at = text.find("\n" + name);
        return at == std::string::npos ? 0 : std::stod(text.substr(text.find(' ', at)));
    }

    const std::string prefix_ = next_kafka_prefix();
    MetricRegistry metrics_;
};

TEST_F(KafkaBusFixture, while_kafka_is_away_nothing_is_acknowledged_and_all_of_it_is_when_it_is_back) {
    constexpr std::size_t queue_bytes_max = 64U << 10U;
    const auto bus = open();
    const TopicId id = topic(*bus);
    const auto reader = bus->consumer({.group = {}, .topics = {"t"}});
    ASSERT_TRUE(reader);
    const auto producer = bus->producer({.name = "p", .queue_bytes_max = queue_bytes_max, .on_deliveries_ready = {}});
    std::multiset<std::uint64_t> acknowledged;
    const auto take = [&](const Delivery& delivery) {
        EXPECT_TRUE(delivery.durable) << delivery.token;
        acknowledged.insert(delivery.token);
    };
    std::uint64_t sent = 0;
    for (; sent < 100; ++sent) {
        ASSERT_TRUE(producer->send(id, record(std::to_string(sent + 1)), sent + 1));
    }
    ASSERT_TRUE(producer->drain(long_wait));
    (void)producer->poll(take);
    EXPECT_EQ(acknowledged.size(), 100U);
    EXPECT_EQ(read_until(**reader, 100).size(), 100U);

    kafka_broker().kill();
    Result<void> result;
    while ((result = producer->send(id, record(std::to_string(sent + 1)), sent + 1))) {
        ++sent;
        ASSERT_LE(producer->queued_bytes(), queue_bytes_max);
    }
    EXPECT_EQ(result.error().code, ErrorCode::queue_full);
    EXPECT_GT(sent, 200U);
    EXPECT_FALSE(producer->drain(Millis(500)));
    (void)producer->poll(take);
    EXPECT_EQ(acknowledged.size(), 100U) << "nobody has them";
    const auto nothing = (*reader)->poll(Millis(100), [](const ConsumerRecord&) { FAIL(); });
    EXPECT_EQ(nothing.value_or(0), 0U);

    const auto started = kafka_broker().start();
    ASSERT_TRUE(started) << started.error().message();
    EXPECT_TRUE(producer->drain(long_wait));
    (void)producer->poll(take);
    EXPECT_EQ(acknowledged.size(), sent);
    EXPECT_EQ(std::set<std::uint64_t>(acknowledged.begin(), acknowledged.end()).size(), sent);
    EXPECT_EQ(producer->queued_bytes(), 0U);
    const auto records = read_until(**reader, sent - 100);
    ASSERT_EQ(records.size(), sent - 100) << "each once";
    for (std::size_t i = 0; i < records.size(); ++i) {
        EXPECT_EQ(records[i].value, std::to_string(i + 101)) << "in order";
    }
    EXPECT_EQ(metric("muster_bus_failed_records_total"), 0);
    EXPECT_EQ(metric("muster_bus_records_total"), static_cast<double>(sent));
}

TEST_F(KafkaBusFixture, a_broker_that_says_nothing_holds_up_nobody_for_long) {
    KafkaBusOptions options = kafka_options(prefix_, 2);
    options.request_timeout = Millis(1'000);
    auto bus = KafkaBus::open(options, metrics_);
    ASSERT_TRUE(bus);
    const TopicId id = topic(**bus);
    const auto producer = (*bus)->producer({.name = "p", .on_deliveries_ready = {}});
    ASSERT_TRUE(producer->send(id, record("1"), 0));
    ASSERT_TRUE(producer->drain(long_wait));
    const auto reader = (*bus)->consumer({.group = "frozen", .topics = {"t"}});
    ASSERT_TRUE(reader);
    ASSERT_EQ(read_until(**reader, 1).size(), 1U);

    kafka_broker().freeze();
    const auto late = (*reader)->commit("t", 0, 1);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::timed_out);
    (*reader)->wake();
    EXPECT_EQ((*reader)->poll(long_wait, [](const ConsumerRecord&) {}).value_or(99), 0U);
    kafka_broker().thaw();

    Result<void> committed = (*reader)->commit("t", 0, 1);
    for (int i = 0; i < 60 && !committed; ++i) {
        committed = (*reader)->commit("t", 0, 1);
    }
    EXPECT_TRUE(committed) << committed.error().message();
}

TEST_F(KafkaBusFixture, a_reader_that_retention_has_passed_goes_on_with_the_oldest_record_and_counts) {
    const auto bus = open();
    ASSERT_NO_FATAL_FAILURE(send_records(*bus, 100));
    {
        // What retention does, when a test wants it.
        KafkaLog log("test", metrics_);
        auto client = KafkaSettings(kafka_options(prefix_), "test", log).make(RD_KAFKA_CONSUMER);
        ASSERT_TRUE(client);
        const auto list = make_partition_list(1);
        rd_kafka_topic_partition_list_add(list.get(), (prefix_ + "t").c_str(), 0)->offset = 40;
        rd_kafka_DeleteRecords_t* before = rd_kafka_DeleteRecords_new(list.get());
        const KafkaOwned<rd_kafka_queue_t> queue(rd_kafka_queue_new(client->get()));
        rd_kafka_DeleteRecords(client->get(), &before, 1, nullptr, queue.get());
        const KafkaOwned<rd_kafka_event_t> answer(
            rd_kafka_queue_poll(queue.get(), static_cast<int>(long_wait.count())));
        rd_kafka_DeleteRecords_destroy(before);
        ASSERT_NE(answer, nullptr);
        ASSERT_EQ(rd_kafka_event_error(answer.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    const auto reader = bus->consumer({.group = {}, .topics = {"t"}});
    ASSERT_TRUE(reader);
    const auto records = read_until(**reader, 60);
    ASSERT_EQ(records.size(), 60U);
    EXPECT_EQ(records.front().offset, 40);
    EXPECT_EQ(metric("muster_bus_skipped_offsets_total"), 40);
}

TEST_F(KafkaBusFixture, a_commit_never_goes_back) {
    const auto bus = open();
    ASSERT_NO_FATAL_FAILURE(send_records(*bus, 10));
    {
        const auto reader = bus->consumer({.group = "g", .topics = {"t"}});
        ASSERT_EQ(read_until(**reader, 10).size(), 10U);
        EXPECT_TRUE((*reader)->commit("t", 0, 8));
        EXPECT_TRUE((*reader)->commit("t", 0, 3));
        const auto unknown = (*reader)->commit("t", 7, 1);
        ASSERT_FALSE(unknown);
        EXPECT_EQ(unknown.error().code, ErrorCode::conflict);
    }
    const auto reader = bus->consumer({.group = "g", .topics = {"t"}});
    const auto records = read_until(**reader, 2);
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0].offset, 8);
}

TEST_F(KafkaBusFixture, the_lag_of_a_reader_that_does_not_read_is_exported) {
    const auto bus = open();
    ASSERT_NO_FATAL_FAILURE(send_records(*bus, 10));
    const auto reader = bus->consumer({.group = "slow", .topics = {"t"}, .poll_records_max = 4});
    ASSERT_TRUE(reader);
    EXPECT_EQ(read_until(**reader, 4).size(), 4U);
    EXPECT_EQ((*reader)->lag(), 6U);
    EXPECT_EQ(metric("muster_bus_consumer_lag{group=\"slow\"}"), 6);
}

TEST_F(KafkaBusFixture, topics_are_made_as_they_are_wanted) {
    auto topics = KafkaTopics::connect(kafka_options(prefix_), metrics_);
    ASSERT_TRUE(topics);
    for (const TopicSpec& spec : standard_topics(1ULL << 30U)) {
        const auto missing = (*topics)->find(spec);
        ASSERT_TRUE(missing) << missing.error().message();
        EXPECT_FALSE(*missing);
        const auto made = (*topics)->create(spec, {4, 1});
        ASSERT_TRUE(made) << made.error().message();
        const auto again = (*topics)->create(spec, {4, 1});
        ASSERT_FALSE(again);
        EXPECT_EQ(again.error().code, ErrorCode::conflict);
        const auto found = (*topics)->find(spec);
        ASSERT_TRUE(found && *found);
        EXPECT_EQ((*found)->shape.partitions, 4);
        const auto differences = KafkaTopics::compare(spec, {4, 1}, **found);
        EXPECT_TRUE(differences.empty()) << describe(spec.name, differences);
    }
    const auto shape = (*topics)->shape_of(bus_topics::events);
    ASSERT_TRUE(shape && *shape);
    EXPECT_EQ((*shape)->partitions, 4);
    EXPECT_EQ((*shape)->replication, 1);
}

TEST_F(KafkaBusFixture, a_topic_that_cannot_be_used_is_refused_in_words_and_other_settings_are_not) {
    (void)topic(*open(2));
    auto other = KafkaBus::open(kafka_options(prefix_, 3), metrics_);
    ASSERT_TRUE(other);
    const auto partitions = (*other)->open_topic({.name = "t"});
    ASSERT_FALSE(partitions);
    EXPECT_EQ(partitions.error().code, ErrorCode::conflict);
    EXPECT_NE(partitions.error().message().find(prefix_ + "t: partitions is 2, not 3"), std::string::npos)
        << partitions.error().message();
    const auto bus = open(2);
    const auto compacted = bus->open_topic({.name = "t", .cleanup = TopicSpec::Cleanup::compacted});
    ASSERT_FALSE(compacted);
    EXPECT_NE(compacted.error().message().find("cleanup.policy is delete, not compact"), std::string::npos)
        << compacted.error().message();
    EXPECT_TRUE(bus->open_topic({.name = "t", .retention = std::chrono::hours(1)}));
}

TEST_F(KafkaBusFixture, what_cannot_be_opened_is_said_in_words) {
    KafkaBusOptions options = kafka_options(prefix_, 0);
    auto opened = KafkaBus::open(options, metrics_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::not_found);
    EXPECT_NE(opened.error().message().find("muster cluster init --kafka " + options.brokers), std::string::npos);

    options.partitions = 2;
    options.replication = 3;
    auto bus = KafkaBus::open(options, metrics_);
    ASSERT_TRUE(bus);
    const auto made = (*bus)->open_topic({.name = "t"});
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message().find("3 copies on 1 broker"), std::string::npos) << made.error().message();

    options.brokers = "127.0.0.1:1";
    options.connect_timeout = Millis(500);
    opened = KafkaBus::open(options, metrics_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::unavailable);
    EXPECT_NE(opened.error().message().find("cannot reach Kafka: 127.0.0.1:1"), std::string::npos)
        << opened.error().message();
}

TEST(KafkaOptions, settings_that_undo_a_guarantee_are_refused) {
    KafkaBusOptions options = kafka_options("");
    EXPECT_TRUE(check(options));
    options.connection = {{"ssl.ca.location", "/ca.pem"}};
    EXPECT_TRUE(check(options));
    options.connection = {{"acks", "0"}};
    EXPECT_FALSE(check(options));
    options = kafka_options("");
    options.session_timeout = Millis(100);
    EXPECT_FALSE(check(options));
    options = kafka_options("no spaces ");
    EXPECT_FALSE(check(options));
    options = kafka_options("");
    options.brokers.clear();
    EXPECT_FALSE(check(options));
}

TEST(KafkaPartitioner, agrees_with_kafkas_own) {
    for (int i = 0; i < 1000; ++i) {
        const std::string key = std::string(static_cast<std::size_t>(i % 37), 'd') + std::to_string(i);
        EXPECT_EQ(partition_of(key, 16),
                  rd_kafka_msg_partitioner_murmur2(nullptr, key.data(), key.size(), 16, nullptr, nullptr));
    }
}

}  // namespace
}  // namespace muster
