#pragma once

#include "bus/bus_conformance_fixture.h"

namespace muster {

// Part of bus_conformance.h: consumer groups.

TEST_P(BusConformance, a_group_resumes_where_it_committed) {
    const TopicId topic = open("resume");
    const auto sender = producer();
    for (int i = 0; i < 10; ++i) {
        send(*sender, topic, record("k", std::to_string(i), 0));
    }
    drain(*sender);
    {
        const auto reader = consumer({"resume"}, "group-resume");
        EXPECT_EQ(collect(*reader, 10).size(), 10U);
        const auto committed = reader->commit("resume", 0, 6);
        EXPECT_TRUE(committed) << committed.error().message();
    }
    const auto reader = consumer({"resume"}, "group-resume");
    const auto records = collect(*reader, 4);
    ASSERT_EQ(records.size(), 4U);
    EXPECT_EQ(records[0].value, "6");
    const auto other = consumer({"resume"}, "group-other");
    EXPECT_EQ(collect(*other, 10).size(), 10U) << "another group has its own position";
}

TEST_P(BusConformance, a_listener_chooses_where_to_start) {
    const TopicId topic = open("chosen");
    const auto sender = producer();
    for (int i = 0; i < 10; ++i) {
        send(*sender, topic, record("k", std::to_string(i), 0));
    }
    drain(*sender);
    RecordingListener listener;
    listener.start = 8;
    const auto reader = consumer({"chosen"}, "group-chosen", ConsumerOptions::Start::earliest, &listener);
    const auto records = collect(*reader, 2);
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0].value, "8");
    EXPECT_EQ(listener.assigned.size(), static_cast<std::size_t>(bus().partitions()));
}

TEST_P(BusConformance, a_group_spreads_its_partitions_and_takes_over_those_of_who_leaves) {
    open("spread");
    const auto partitions = static_cast<std::size_t>(bus().partitions());
    RecordingListener first_listener;
    RecordingListener second_listener;
    const auto first = consumer({"spread"}, "group-spread", ConsumerOptions::Start::earliest, &first_listener);
    settle({{first.get(), &first_listener}}, {partitions});
    auto second = consumer({"spread"}, "group-spread", ConsumerOptions::Start::earliest, &second_listener);
    settle({{first.get(), &first_listener}, {second.get(), &second_listener}},
           {(partitions + 1) / 2, partitions - (partitions + 1) / 2});
    for (const auto& one : first_listener.assigned) {
        EXPECT_FALSE(second_listener.assigned.contains(one));
    }
    second.reset();
    EXPECT_TRUE(second_listener.assigned.empty()) << "told of the end in the destructor";
    settle({{first.get(), &first_listener}}, {partitions});
}

TEST_P(BusConformance, members_that_read_two_topics_get_the_same_partitions_of_both) {
    open("pair-a");
    open("pair-b");
    const auto partitions = static_cast<std::size_t>(bus().partitions());
    RecordingListener first_listener;
    RecordingListener second_listener;
    const std::vector<std::string> topics{"pair-a", "pair-b"};
    const auto first = consumer(topics, "group-pair", ConsumerOptions::Start::earliest, &first_listener);
    const auto second = consumer(topics, "group-pair", ConsumerOptions::Start::earliest, &second_listener);
    settle({{first.get(), &first_listener}, {second.get(), &second_listener}}, {partitions, partitions});
    for (Partition partition = 0; partition < bus().partitions(); ++partition) {
        EXPECT_EQ(first_listener.assigned.contains({"pair-a", partition}),
                  first_listener.assigned.contains({"pair-b", partition}));
    }
}

TEST_P(BusConformance, a_rebalance_loses_and_doubles_nothing_when_positions_are_committed_on_revocation) {
    const TopicId topic = open("handover");
    const auto sender = producer();
    std::multiset<std::string> seen;
    std::map<Partition, Offset> first_at;
    RecordingListener first_listener;
    RecordingListener second_listener;
    const auto first = consumer({"handover"}, "group-handover", ConsumerOptions::Start::earliest, &first_listener);
    first_listener.before_revoke = [&](std::string_view name, Partition partition) {
        EXPECT_TRUE(first->commit(name, partition, first_at[partition]));
    };
    for (int i = 0; i < 500; ++i) {
        send(*sender, topic, record("k" + std::to_string(i), std::to_string(i)));
    }
    drain(*sender);
    const auto by_first = [&](const ConsumerRecord& one) {
        seen.emplace(one.value);
        first_at[one.partition] = one.offset + 1;
    };
    for (Millis waited{0}; seen.size() < 500 && waited < long_wait; waited += step) {
        ASSERT_TRUE(first->poll(step, by_first));
    }
    const auto second = consumer({"handover"}, "group-handover", ConsumerOptions::Start::earliest, &second_listener);
    // Records go on coming until the second has its share, and some more.
    std::size_t sent = 500;
    constexpr int rounds_max = 4000;
    for (int round = 0; round < rounds_max && (second_listener.assigned.empty() || seen.size() < sent); ++round) {
        for (int i = 0; i < 5 && (second_listener.assigned.empty() || sent < 1000); ++i, ++sent) {
            send(*sender, topic, record("k" + std::to_string(sent), std::to_string(sent)));
        }
        sender->flush();
        ASSERT_TRUE(first->poll(Millis(5), by_first));
        ASSERT_TRUE(second->poll(Millis(5), [&](const ConsumerRecord& one) { seen.emplace(one.value); }));
    }
    EXPECT_EQ(seen.size(), sent);
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), sent);
    EXPECT_EQ(second_listener.assigned.size(), static_cast<std::size_t>(bus().partitions()) / 2);
    EXPECT_GT(first_listener.revocations, 0);
    first_listener.before_revoke = nullptr;
}

}  // namespace muster
