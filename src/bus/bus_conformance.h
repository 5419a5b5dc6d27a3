#pragma once

#include "bus/bus_conformance_fixture.h"
#include "bus/bus_conformance_groups.h"

namespace muster {

// What every implementation of the Bus port must do. A test program of an implementation includes this header and says
//   INSTANTIATE_TEST_SUITE_P(Kafka, BusConformance, ::testing::Values([] { return std::make_unique<KafkaUnderTest>();
//   }));

TEST_P(BusConformance, a_record_comes_out_as_it_went_in) {
    const TopicId topic = open("as-it-was");
    const auto sender = producer();
    const RecordHeader headers[] = {{"muster", std::string_view("\x00\xff", 2)}, {"empty", ""}};
    ProducerRecord sent = record("key", std::string_view("a\0b", 3));
    sent.headers = headers;
    sent.time = from_epoch_ms(1'700'000'000'123);
    send(*sender, topic, sent);
    drain(*sender);
    const auto reader = consumer({"as-it-was"});
    const auto records = collect(*reader, 1);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].key, "key");
    EXPECT_EQ(records[0].value, std::string("a\0b", 3));
    EXPECT_EQ(records[0].headers.at("muster"), std::string("\x00\xff", 2));
    EXPECT_EQ(records[0].headers.count("empty"), 1U);
    EXPECT_EQ(records[0].time, sent.time);
    EXPECT_EQ(records[0].partition, partition_of("key", bus().partitions()));
    EXPECT_FALSE(records[0].tombstone);
}

TEST_P(BusConformance, records_of_a_key_keep_their_order_and_offsets_grow_by_one) {
    const TopicId topic = open("ordered");
    const auto sender = producer();
    const auto reader = consumer({"ordered"});
    for (int i = 0; i < 3000; ++i) {
        send(*sender, topic, record("device-" + std::to_string(i % 50), std::to_string(i)));
        if (i % 7 == 0) {
            sender->flush();
        }
    }
    drain(*sender);
    const auto records = collect(*reader, 3000);
    ASSERT_EQ(records.size(), 3000U);
    std::map<std::string, int> last;
    std::map<Partition, Offset> next;
    for (const KeptRecord& one : records) {
        EXPECT_EQ(one.partition, partition_of(one.key, bus().partitions()));
        EXPECT_EQ(one.offset, next[one.partition]++);
        const auto [at, first] = last.emplace(one.key, std::stoi(one.value));
        EXPECT_TRUE(first || at->second < std::stoi(one.value));
        at->second = std::stoi(one.value);
    }
}

TEST_P(BusConformance, a_small_record_does_not_overtake_a_large_one) {
    const TopicId topic = open("sizes");
    const auto sender = producer();
    const auto reader = consumer({"sizes"});
    const std::string large(record_bytes_max * 9 / 10, 'l');
    const std::string middling(record_bytes_max / 5, 'm');
    const std::vector<std::string> values = {large, middling, "small", large, "small", middling, "small"};
    for (int round = 0; round < 3; ++round) {
        for (const std::string& value : values) {
            send(*sender, topic, record("device", value));
            sender->flush();
        }
        drain(*sender);
        const auto records = collect(*reader, values.size());
        ASSERT_EQ(records.size(), values.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
            EXPECT_EQ(records[i].value.size(), values[i].size()) << "record " << i;
        }
    }
}

TEST_P(BusConformance, a_named_partition_is_obeyed) {
    const TopicId topic = open("named");
    const auto sender = producer();
    for (Partition partition = 0; partition < bus().partitions(); ++partition) {
        send(*sender, topic, record("", "tick", partition));
    }
    drain(*sender);
    const auto reader = consumer({"named"});
    std::set<Partition> partitions;
    for (const KeptRecord& one : collect(*reader, static_cast<std::size_t>(bus().partitions()))) {
        partitions.insert(one.partition);
    }
    EXPECT_EQ(partitions.size(), static_cast<std::size_t>(bus().partitions()));
}

TEST_P(BusConformance, what_cannot_be_sent_is_refused) {
    const TopicId topic = open("refused");
    const auto sender = producer();
    EXPECT_FALSE(sender->send(topic, record("k", "v", bus().partitions()), 0));
    EXPECT_FALSE(sender->send(topic, record("k", "v", -2), 0));
    const std::vector<RecordHeader> headers(record_headers_max + 1, RecordHeader{"a", "b"});
    ProducerRecord with_headers = record("k", "v");
    with_headers.headers = headers;
    EXPECT_FALSE(sender->send(topic, with_headers, 0));
    EXPECT_FALSE(sender->send(999, record("k", "v"), 0));
    EXPECT_EQ(sender->queued_bytes(), 0U);
}

TEST_P(BusConformance, a_record_of_the_largest_size_passes_and_a_larger_one_does_not) {
    const TopicId topic = open("large");
    const auto sender = producer();
    const std::string largest(record_bytes_max - 3, 'x');
    send(*sender, topic, record("key", largest));
    const auto refused = sender->send(topic, record("key", largest + "y"), 0);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::too_large);
    drain(*sender);
    const auto records = collect(*consumer({"large"}), 1);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].value, largest);
}

TEST_P(BusConformance, each_token_is_reported_once_and_durable) {
    const TopicId topic = open("reports");
    const auto sender = producer();
    for (std::uint64_t token = 1; token <= 500; ++token) {
        send(*sender, topic, record("k" + std::to_string(token), "v"), token);
        send(*sender, topic, record("k" + std::to_string(token), "no report wanted"));
    }
    drain(*sender);
    std::multiset<std::uint64_t> tokens;
    const auto take = [&](const Delivery& delivery) {
        EXPECT_TRUE(delivery.durable);
        tokens.insert(delivery.token);
    };
    for (Millis waited{0}; tokens.size() < 500 && waited < long_wait; waited += step) {
        EXPECT_TRUE(sender->drain(step));
        (void)sender->poll(take);
    }
    EXPECT_EQ(sender->poll(take), 0U);
    EXPECT_EQ(tokens.size(), 500U);
    EXPECT_EQ(std::set<std::uint64_t>(tokens.begin(), tokens.end()).size(), 500U);
    EXPECT_EQ(sender->queued_bytes(), 0U);
}

TEST_P(BusConformance, a_producer_is_told_when_reports_are_ready) {
    const TopicId topic = open("told");
    std::mutex mutex;
    std::condition_variable changed;
    bool ready = false;
    ProducerOptions options;
    options.name = "told";
    options.on_deliveries_ready = [&] {
        const std::lock_guard lock(mutex);
        ready = true;
        changed.notify_one();
    };
    const auto sender = bus().producer(std::move(options));
    send(*sender, topic, record("k", "v"), 7);
    sender->flush();
    {
        std::unique_lock lock(mutex);
        ASSERT_TRUE(changed.wait_for(lock, long_wait, [&] { return ready; }));
    }
    std::uint64_t token = 0;
    EXPECT_EQ(sender->poll([&](const Delivery& delivery) { token = delivery.token; }), 1U);
    EXPECT_EQ(token, 7U);
}

TEST_P(BusConformance, a_full_queue_refuses_and_takes_more_when_it_has_drained) {
    const TopicId topic = open("full");
    const auto sender = producer(20'000);
    const std::string value(1000, 'x');
    int sent = 0;
    Result<void> result;
    while (sent < 100 && (result = sender->send(topic, record("k", value), 0))) {
        ++sent;
    }
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::queue_full);
    EXPECT_GT(sent, 10);
    EXPECT_LE(sender->queued_bytes(), 20'000U);
    drain(*sender);
    send(*sender, topic, record("k", value));
    drain(*sender);
    EXPECT_EQ(collect(*consumer({"full"}), static_cast<std::size_t>(sent) + 1).size(),
              static_cast<std::size_t>(sent) + 1);
}

TEST_P(BusConformance, nothing_is_handed_out_twice_or_before_it_was_sent) {
    open("empty");
    const auto reader = consumer({"empty"});
    EXPECT_EQ(collect_all(*reader).size(), 0U);
    EXPECT_EQ(reader->lag(), 0U);
    const auto polled = reader->poll(Millis(0), [](const ConsumerRecord&) { FAIL(); });
    EXPECT_EQ(polled.value_or(99), 0U);
}

TEST_P(BusConformance, two_consumers_without_a_group_both_get_everything) {
    const TopicId topic = open("both");
    const auto sender = producer();
    const auto one = consumer({"both"});
    const auto two = consumer({"both"});
    for (int i = 0; i < 100; ++i) {
        send(*sender, topic, record(std::to_string(i), "v"));
    }
    drain(*sender);
    EXPECT_EQ(collect(*one, 100).size(), 100U);
    EXPECT_EQ(collect(*two, 100).size(), 100U);
}

TEST_P(BusConformance, a_consumer_without_a_group_may_name_its_partitions) {
    const TopicId topic = open("chosen-partitions");
    const auto sender = producer();
    for (Partition partition = 0; partition < bus().partitions(); ++partition) {
        send(*sender, topic, record("k", "v", partition));
    }
    drain(*sender);
    const auto reader = [&](std::vector<Partition> partitions, const std::string& group = {}) {
        ConsumerOptions options;
        options.group = group;
        options.topics = {"chosen-partitions"};
        options.partitions = std::move(partitions);
        return bus().consumer(std::move(options));
    };
    const auto two = reader({1, 3});
    ASSERT_TRUE(two);
    std::set<Partition> seen;
    for (const KeptRecord& one : collect_all(**two)) {
        seen.insert(one.partition);
    }
    EXPECT_EQ(seen, (std::set<Partition>{1, 3}));
    EXPECT_EQ((*two)->lag(), 0U);
    EXPECT_FALSE(reader({bus().partitions()}));
    EXPECT_FALSE(reader({-1}));
    EXPECT_FALSE(reader({1}, "group-chosen-partitions"));
}

TEST_P(BusConformance, latest_begins_with_what_comes_after_the_first_poll) {
    const TopicId topic = open("latest");
    const auto sender = producer();
    send(*sender, topic, record("k", "before"));
    drain(*sender);
    const auto reader = consumer({"latest"}, {}, ConsumerOptions::Start::latest);
    EXPECT_EQ(collect_all(*reader).size(), 0U);
    send(*sender, topic, record("k", "after"));
    drain(*sender);
    const auto records = collect(*reader, 1);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].value, "after");
}

TEST_P(BusConformance, a_poll_hands_out_no_more_than_it_may_and_every_partition_gets_its_turn) {
    const TopicId topic = open("turns");
    const auto sender = producer();
    for (Partition partition = 0; partition < bus().partitions(); ++partition) {
        for (int i = 0; i < 100; ++i) {
            send(*sender, topic, record("k", "v", partition));
        }
    }
    drain(*sender);
    ConsumerOptions options;
    options.topics = {"turns"};
    options.poll_records_max = 40;
    const auto reader = bus().consumer(std::move(options));
    ASSERT_TRUE(reader);
    std::map<Partition, int> counts;
    std::size_t total = 0;
    const auto all = static_cast<std::size_t>(bus().partitions()) * 100;
    for (Millis waited{0}; total < all && waited < long_wait;) {
        const auto polled = (*reader)->poll(step, [&](const ConsumerRecord& one) { ++counts[one.partition]; });
        ASSERT_TRUE(polled);
        EXPECT_LE(*polled, 40U);
        total += *polled;
        waited += *polled != 0 ? Millis(0) : step;
    }
    EXPECT_EQ(counts.size(), static_cast<std::size_t>(bus().partitions()));
    EXPECT_EQ(total, all);
}

TEST_P(BusConformance, lag_counts_down_to_nothing) {
    const TopicId topic = open("lag");
    const auto sender = producer();
    for (int i = 0; i < 10; ++i) {
        send(*sender, topic, record("k", "v"));
    }
    drain(*sender);
    const auto reader = consumer({"lag"});
    EXPECT_EQ(collect(*reader, 10).size(), 10U);
    (void)collect_all(*reader);
    EXPECT_EQ(reader->lag(), 0U);
}

TEST_P(BusConformance, seek_goes_back_and_forward) {
    const TopicId topic = open("seek");
    const auto sender = producer();
    for (int i = 0; i < 10; ++i) {
        send(*sender, topic, record("k", std::to_string(i), 0));
    }
    drain(*sender);
    const auto reader = consumer({"seek"});
    EXPECT_EQ(collect(*reader, 10).size(), 10U);
    reader->seek("seek", 0, 7);
    EXPECT_FALSE(reader->caught_up());
    const auto again = collect(*reader, 3);
    ASSERT_EQ(again.size(), 3U);
    EXPECT_EQ(again[0].value, "7");
    reader->seek("seek", 0, 0);
    reader->seek("seek", 0, 9);
    const auto last = collect(*reader, 1);
    ASSERT_EQ(last.size(), 1U);
    EXPECT_EQ(last[0].value, "9");
}

TEST_P(BusConformance, wake_ends_a_poll_and_the_next_one) {
    open("wake");
    const auto reader = consumer({"wake"});
    (void)collect_all(*reader);
    reader->wake();
    const auto next = reader->poll(std::chrono::hours(1), [](const ConsumerRecord&) {});
    EXPECT_EQ(next.value_or(99), 0U);
    std::thread waker([&] { reader->wake(); });
    const auto under_way = reader->poll(std::chrono::hours(1), [](const ConsumerRecord&) {});
    EXPECT_EQ(under_way.value_or(99), 0U);
    waker.join();
}

TEST_P(BusConformance, a_waiting_poll_gets_what_is_sent_meanwhile) {
    const TopicId topic = open("waiting");
    const auto reader = consumer({"waiting"});
    (void)collect_all(*reader);
    std::thread sending([&] {
        const auto sender = producer();
        send(*sender, topic, record("k", "v"));
        sender->flush();
    });
    EXPECT_EQ(collect(*reader, 1).size(), 1U);
    sending.join();
}

TEST_P(BusConformance, records_offsets_and_commits_outlive_a_restart) {
    TopicId topic = open("restart");
    {
        const auto sender = producer();
        for (int i = 0; i < 20; ++i) {
            send(*sender, topic, record("k", std::to_string(i), 0));
        }
        drain(*sender);
        const auto reader = consumer({"restart"}, "group-restart");
        EXPECT_EQ(collect(*reader, 20).size(), 20U);
        EXPECT_TRUE(reader->commit("restart", 0, 15));
    }
    restart();
    topic = open("restart");
    const auto sender = producer();
    send(*sender, topic, record("k", "20", 0));
    drain(*sender);
    const auto group_reader = consumer({"restart"}, "group-restart");
    const auto rest = collect(*group_reader, 6);
    ASSERT_EQ(rest.size(), 6U);
    EXPECT_EQ(rest.front().value, "15");
    EXPECT_EQ(rest.back().value, "20");
    EXPECT_EQ(rest.back().offset, 20);
    const auto reader = consumer({"restart"});
    const auto all = collect(*reader, 21);
    ASSERT_EQ(all.size(), 21U);
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].offset, static_cast<Offset>(i));
    }
}

TEST_P(BusConformance, a_compacted_topic_keeps_the_newest_record_of_each_key_over_a_restart) {
    TopicId topic = open("compacted", TopicSpec::Cleanup::compacted);
    {
        const auto sender = producer();
        for (int round = 0; round < 5; ++round) {
            for (int key = 0; key < 20; ++key) {
                send(*sender, topic, record("k" + std::to_string(key), std::to_string(round)));
            }
            round % 2 == 0 ? sender->flush() : drain(*sender);
        }
        drain(*sender);
    }
    restart();
    topic = open("compacted", TopicSpec::Cleanup::compacted);
    const auto reader = consumer({"compacted"});
    const auto records = collect_all(*reader);
    std::map<std::string, std::string> newest;
    for (const KeptRecord& one : records) {
        newest[one.key] = one.value;
    }
    EXPECT_EQ(newest.size(), 20U);
    for (const auto& [key, value] : newest) {
        EXPECT_EQ(value, "4") << key;
    }
    if (under_test_->compacts_at_once()) {
        EXPECT_EQ(records.size(), 20U);
    }
    const auto sender = producer();
    send(*sender, topic, record("k0", "5"));
    drain(*sender);
    EXPECT_EQ(collect(*reader, 1).at(0).value, "5");
}

TEST_P(BusConformance, a_tombstone_reaches_those_who_listen_and_forgets_the_key) {
    TopicId topic = open("tombstones", TopicSpec::Cleanup::compacted);
    {
        const auto sender = producer();
        const auto reader = consumer({"tombstones"});
        send(*sender, topic, record("gone", "v"));
        send(*sender, topic, record("kept", "v"));
        drain(*sender);
        EXPECT_EQ(collect(*reader, 2).size(), 2U);
        ProducerRecord tombstone = record("gone", "");
        tombstone.tombstone = true;
        send(*sender, topic, tombstone);
        drain(*sender);
        const auto records = collect(*reader, 1);
        ASSERT_EQ(records.size(), 1U);
        EXPECT_TRUE(records[0].tombstone);
        EXPECT_EQ(records[0].key, "gone");
        tombstone.value = "not empty";
        EXPECT_FALSE(sender->send(topic, tombstone, 0));
    }
    restart();
    topic = open("tombstones", TopicSpec::Cleanup::compacted);
    std::map<std::string, bool> present;
    for (const KeptRecord& one : collect_all(*consumer({"tombstones"}))) {
        present[one.key] = !one.tombstone;
    }
    EXPECT_FALSE(present["gone"]);
    EXPECT_TRUE(present["kept"]);
}

TEST_P(BusConformance, a_topic_must_be_open_to_be_read_and_opens_twice_as_one) {
    const auto unknown = bus().consumer({.group = {}, .topics = {"never-opened"}});
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, ErrorCode::not_found);
    EXPECT_EQ(open("twice"), open("twice"));
    TopicSpec bad;
    bad.name = "no spaces";
    EXPECT_FALSE(bus().open_topic(bad));
}

TEST_P(BusConformance, several_producers_and_a_reader_at_once_lose_nothing) {
    const TopicId topic = open("several");
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 3; ++thread) {
        threads.emplace_back([&, thread] {
            const auto sender = producer();
            for (int i = 0; i < 2000; ++i) {
                const std::string key = std::to_string(thread) + "-" + std::to_string(i % 10);
                ASSERT_TRUE(sender->send(topic, record(key, std::to_string(i)), 0));
                if (i % 5 == 0) {
                    sender->flush();
                }
            }
            EXPECT_TRUE(sender->drain(long_wait));
        });
    }
    const auto reader = consumer({"several"});
    const auto records = collect(*reader, 6000);
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(records.size(), 6000U);
    std::map<std::string, int> last;
    for (const KeptRecord& one : records) {
        const auto [at, first] = last.emplace(one.key, std::stoi(one.value));
        EXPECT_TRUE(first || at->second < std::stoi(one.value));
        at->second = std::stoi(one.value);
    }
}

}  // namespace muster
