#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "bus/bus.h"

namespace muster {

// What every implementation of the Bus port must do. A test program of an implementation includes this header and says
//   INSTANTIATE_TEST_SUITE_P(Kafka, BusConformance, ::testing::Values([] { return std::make_unique<KafkaUnderTest>();
//   }));

/// One implementation with its server or directory, as the suite needs it.
class BusUnderTest {
 public:
    virtual ~BusUnderTest() = default;
    [[nodiscard]] virtual Bus& bus() = 0;
    /// Ends the bus and starts it again on the same stored records; producers and consumers are gone by then.
    virtual void restart() = 0;
    /// True when a superseded record of a compacted topic is gone as soon as its successor is durable.
    [[nodiscard]] virtual bool compacts_at_once() const = 0;
};

using BusFactory = std::function<std::unique_ptr<BusUnderTest>()>;

/// A record as a test keeps it.
struct KeptRecord {
    Partition partition = 0;
    Offset offset = 0;
    std::string key;
    std::string value;
    std::map<std::string, std::string> headers;
    Timestamp time{};
    bool tombstone = false;
};

inline KeptRecord keep(const ConsumerRecord& record) {
    KeptRecord kept{.partition = record.partition,
                    .offset = record.offset,
                    .key = std::string(record.key),
                    .value = std::string(record.value),
                    .headers = {},
                    .time = record.time,
                    .tombstone = record.tombstone};
    for (const RecordHeader& header : record.headers) {
        kept.headers.emplace(header.name, header.value);
    }
    return kept;
}

/// Counts assignments, and starts partitions where a test says.
class RecordingListener final : public RebalanceListener {
 public:
    std::optional<Offset> on_assigned(std::string_view topic, Partition partition) override {
        assigned.emplace(topic, partition);
        return start;
    }
    void on_revoked(std::string_view topic, Partition partition) override {
        assigned.erase({std::string(topic), partition});
        ++revocations;
        if (before_revoke) {
            before_revoke(topic, partition);
        }
    }

    std::set<std::pair<std::string, Partition>> assigned;
    std::optional<Offset> start;
    std::function<void(std::string_view, Partition)> before_revoke;
    int revocations = 0;
};

class BusConformance : public ::testing::TestWithParam<BusFactory> {
 protected:
    static constexpr Millis long_wait{10'000};  ///< over only when the test fails
    static constexpr Millis step{50};

    void SetUp() override { under_test_ = GetParam()(); }

    Bus& bus() { return under_test_->bus(); }
    void restart() { under_test_->restart(); }

    TopicId open(const std::string& name, TopicSpec::Cleanup cleanup = TopicSpec::Cleanup::bounded) {
        TopicSpec spec;
        spec.name = name;
        spec.cleanup = cleanup;
        const auto id = bus().open_topic(spec);
        EXPECT_TRUE(id) << (id ? "" : id.error().message());
        return id.value_or(TopicId{0});
    }

    std::unique_ptr<Producer> producer(std::size_t queue_bytes_max = 32U << 20U) {
        ProducerOptions options;
        options.name = "test";
        options.queue_bytes_max = queue_bytes_max;
        return bus().producer(std::move(options));
    }

    std::unique_ptr<Consumer> consumer(const std::vector<std::string>& topics, const std::string& group = {},
                                       ConsumerOptions::Start start = ConsumerOptions::Start::earliest,
                                       RebalanceListener* listener = nullptr) {
        ConsumerOptions options;
        options.group = group;
        options.topics = topics;
        options.start = start;
        options.listener = listener;
        auto made = bus().consumer(std::move(options));
        EXPECT_TRUE(made) << (made ? "" : made.error().message());
        return made ? std::move(*made) : nullptr;
    }

    /// Recent, because a bus may go by the records' own times when it forgets the old.
    static Timestamp record_time() {
        static const Timestamp time = std::chrono::floor<Millis>(std::chrono::system_clock::now());
        return time;
    }

    static ProducerRecord record(std::string_view key, std::string_view value, Partition partition = any_partition) {
        return {.key = key, .value = value, .headers = {}, .time = record_time(), .partition = partition};
    }

    static void send(Producer& producer, TopicId topic, const ProducerRecord& record, std::uint64_t token = 0) {
        const auto sent = producer.send(topic, record, token);
        ASSERT_TRUE(sent) << sent.error().message();
    }

    static void drain(Producer& producer) {
        const auto drained = producer.drain(long_wait);
        ASSERT_TRUE(drained) << drained.error().message();
    }

    /// Polls until `count` records have come; fewer only when the time is over.
    static std::vector<KeptRecord> collect(Consumer& consumer, std::size_t count) {
        std::vector<KeptRecord> records;
        for (Millis waited{0}; records.size() < count && waited < long_wait;) {
            const auto polled = consumer.poll(step, [&](const ConsumerRecord& one) { records.push_back(keep(one)); });
            EXPECT_TRUE(polled) << (polled ? "" : polled.error().message());
            waited += polled && *polled != 0 ? Millis(0) : step;
        }
        return records;
    }

    /// Polls until the consumer says that it is at the end of everything.
    static std::vector<KeptRecord> collect_all(Consumer& consumer) {
        std::vector<KeptRecord> records;
        for (Millis waited{0}; !consumer.caught_up() && waited < long_wait;) {
            const auto polled = consumer.poll(step, [&](const ConsumerRecord& one) { records.push_back(keep(one)); });
            EXPECT_TRUE(polled) << (polled ? "" : polled.error().message());
            waited += polled && *polled != 0 ? Millis(0) : step;
        }
        EXPECT_TRUE(consumer.caught_up());
        return records;
    }

    /// Polls the members in turn until their listeners have as many partitions as told.
    static void settle(const std::vector<std::pair<Consumer*, const RecordingListener*>>& members,
                       const std::vector<std::size_t>& partitions) {
        constexpr Millis turn{5};
        for (Millis waited{0}; waited < long_wait; waited += turn) {
            bool settled = true;
            for (std::size_t i = 0; i < members.size(); ++i) {
                (void)members[i].first->poll(turn, [](const ConsumerRecord&) {});
                settled = settled && members[i].second->assigned.size() == partitions[i];
            }
            if (settled) {
                return;
            }
        }
        ADD_FAILURE() << "the group did not come to rest";
    }

    std::unique_ptr<BusUnderTest> under_test_;
};

}  // namespace muster
