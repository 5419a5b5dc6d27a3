#include "mqtt/subscription_tree.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace muster::mqtt {
namespace {

using Outcome = SubscriptionTree::Outcome;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::uint64_t> handles(const SubscriptionTree& tree, std::string_view topic) {
    std::vector<std::uint64_t> found;
    tree.match(topic, [&](const Subscriber& subscriber) { found.push_back(subscriber.handle); });
    std::sort(found.begin(), found.end());
    return found;
}

Subscriber of(std::uint64_t handle, std::uint8_t qos = 0) {
    return {handle, 0, SubscriptionOptions::of_qos(qos)};
}

TEST(SubscriptionTree, an_exact_filter_matches_its_topic_only) {
    SubscriptionTree tree({});
    EXPECT_EQ(tree.subscribe("a/b", of(1)), Outcome::added);
    EXPECT_THAT(handles(tree, "a/b"), ElementsAre(1));
    EXPECT_THAT(handles(tree, "a"), IsEmpty());
    EXPECT_THAT(handles(tree, "b/a"), IsEmpty());
    EXPECT_THAT(handles(tree, "a/b/"), IsEmpty());
}

TEST(SubscriptionTree, a_session_is_named_once_for_each_filter_that_matches) {
    SubscriptionTree tree({});
    tree.subscribe("a/+", of(7));
    tree.subscribe("a/#", of(7));
    tree.subscribe("a/b", of(8));
    EXPECT_THAT(handles(tree, "a/b"), ElementsAre(7, 7, 8));
}

TEST(SubscriptionTree, subscribing_again_replaces_the_options) {
    SubscriptionTree tree({});
    tree.subscribe("a", of(1, 0));
    EXPECT_EQ(tree.subscribe("a", of(1, 1)), Outcome::replaced);
    EXPECT_EQ(tree.subscriptions(), 1U);
    std::vector<Subscriber> found;
    tree.match("a", found);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].options.qos(), 1);
}

TEST(SubscriptionTree, unsubscribing_leaves_nothing_behind) {
    SubscriptionTree tree({});
    tree.subscribe("a/+/c", of(1));
    tree.subscribe("a/+/c", of(2));
    EXPECT_FALSE(tree.unsubscribe("a/+/c", 3));
    EXPECT_FALSE(tree.unsubscribe("a/b/c", 1));
    EXPECT_TRUE(tree.unsubscribe("a/+/c", 1));
    EXPECT_FALSE(tree.unsubscribe("a/+/c", 1));
    EXPECT_THAT(handles(tree, "a/b/c"), ElementsAre(2));
    EXPECT_TRUE(tree.unsubscribe("a/+/c", 2));
    EXPECT_EQ(tree.subscriptions(), 0U);
    EXPECT_EQ(tree.filters(), 0U);
    EXPECT_EQ(tree.shapes(), 0U);
}

TEST(SubscriptionTree, many_sessions_on_one_filter_leave_in_any_order) {
    SubscriptionTree tree({});
    for (std::uint64_t handle = 0; handle < 500; ++handle) {
        EXPECT_EQ(tree.subscribe("broadcast", of(handle)), Outcome::added);
    }
    for (std::uint64_t handle = 0; handle < 500; handle += 2) {
        EXPECT_TRUE(tree.unsubscribe("broadcast", handle));
    }
    EXPECT_EQ(tree.subscribe("broadcast", of(1, 1)), Outcome::replaced);
    const auto left = handles(tree, "broadcast");
    ASSERT_EQ(left.size(), 250U);
    EXPECT_EQ(left.front(), 1U);
    EXPECT_EQ(left.back(), 499U);
}

TEST(SubscriptionTree, bounds_are_answered_and_what_is_there_stays_changeable) {
    SubscriptionTree tree({.seed = 1, .subscriptions_max = 2, .shapes_max = 1});
    EXPECT_EQ(tree.subscribe("a", of(1)), Outcome::added);
    EXPECT_EQ(tree.subscribe("a/b", of(1)), Outcome::shapes_full);
    EXPECT_EQ(tree.subscribe("b", of(1)), Outcome::added);
    EXPECT_EQ(tree.subscribe("a", of(2)), Outcome::full);
    EXPECT_EQ(tree.subscribe("a", of(1, 1)), Outcome::replaced);
    std::string deep = "a";
    for (std::size_t level = 1; level < topic_levels_max; ++level) {
        deep += "/a";
    }
    EXPECT_NE(tree.subscribe(deep, of(1)), Outcome::too_deep);
    EXPECT_EQ(tree.subscribe(deep + "/a", of(1)), Outcome::too_deep);
    EXPECT_THAT(handles(tree, deep + "/a"), IsEmpty());
}

TEST(SubscriptionTree, dollar_topics_are_hidden_from_leading_wildcards) {
    SubscriptionTree tree({});
    tree.subscribe("#", of(1));
    tree.subscribe("+/x", of(2));
    tree.subscribe("$aws/#", of(3));
    EXPECT_THAT(handles(tree, "$aws/x"), ElementsAre(3));
    EXPECT_THAT(handles(tree, "aws/x"), ElementsAre(1, 2));
}

/// A filter or topic of few letters, so that many match.
std::string random_topic(Random& random, bool is_filter) {
    static constexpr std::string_view levels[] = {"a", "b", "", "$x", "+", "#"};
    std::string made;
    const std::size_t size = 1 + random.below(5);
    for (std::size_t at = 0; at < size; ++at) {
        const std::uint64_t kinds = !is_filter ? 4 : at + 1 == size ? 6 : 5;
        made += at == 0 ? "" : "/";
        made += levels[random.below(kinds)];
    }
    return made.empty() ? "a" : made;
}

TEST(SubscriptionTree, agrees_with_naive_matching_through_random_changes) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        Random random(seed);
        SubscriptionTree tree({.seed = seed});
        std::map<std::pair<std::string, std::uint64_t>, bool> naive;
        for (int step = 0; step < 600; ++step) {
            const std::string filter = random_topic(random, true);
            const std::uint64_t handle = random.below(20);
            if (random.chance(0.6)) {
                const bool is_new = naive.emplace(std::pair(filter, handle), true).second;
                EXPECT_EQ(tree.subscribe(filter, of(handle)), is_new ? Outcome::added : Outcome::replaced);
            } else {
                EXPECT_EQ(tree.unsubscribe(filter, handle), naive.erase({filter, handle}) == 1);
            }
            const std::string topic = random_topic(random, false);
            std::vector<std::uint64_t> expected;
            for (const auto& [key, unused] : naive) {
                if (topic_matches(key.first, topic)) {
                    expected.push_back(key.second);
                }
            }
            std::sort(expected.begin(), expected.end());
            ASSERT_EQ(handles(tree, topic), expected) << "seed " << seed << " step " << step << " topic " << topic;
            ASSERT_EQ(tree.subscriptions(), naive.size());
        }
    }
}

}  // namespace
}  // namespace muster::mqtt
