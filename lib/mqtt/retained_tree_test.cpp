#include "mqtt/retained_tree.h"

#include <map>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace muster::mqtt {
namespace {

using Outcome = RetainedTree::Outcome;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

MessagePtr message(std::string_view topic, std::string_view payload = "x") {
    Publish publish;
    publish.topic = topic;
    publish.payload = payload;
    return keep_message(publish, Millis(0));
}

std::multiset<std::string> topics(const RetainedTree& tree, std::string_view filter) {
    std::multiset<std::string> found;
    tree.match(filter, [&](const MessagePtr& one) {
        found.insert(one->topic);
        return true;
    });
    return found;
}

TEST(RetainedTree, a_message_is_found_by_its_topic_and_replaced) {
    RetainedTree tree({});
    EXPECT_EQ(tree.set("a/b", message("a/b", "1")), Outcome::added);
    EXPECT_EQ(tree.set("a/b", message("a/b", "2")), Outcome::replaced);
    ASSERT_TRUE(tree.find("a/b"));
    EXPECT_EQ(tree.find("a/b")->payload, "2");
    EXPECT_FALSE(tree.find("a"));
    EXPECT_EQ(tree.topics(), 1U);
}

TEST(RetainedTree, filters_find_what_they_match) {
    RetainedTree tree({});
    for (const char* topic : {"a", "a/b", "a/b/c", "a/c", "b/c", "$SYS/a"}) {
        tree.set(topic, message(topic));
    }
    EXPECT_THAT(topics(tree, "a/#"), ElementsAre("a", "a/b", "a/b/c", "a/c"));
    EXPECT_THAT(topics(tree, "+/c"), ElementsAre("a/c", "b/c"));
    EXPECT_THAT(topics(tree, "#"), ElementsAre("a", "a/b", "a/b/c", "a/c", "b/c"));
    EXPECT_THAT(topics(tree, "+/a"), IsEmpty());
    EXPECT_THAT(topics(tree, "$SYS/+"), ElementsAre("$SYS/a"));
}

TEST(RetainedTree, a_visit_can_stop) {
    RetainedTree tree({});
    for (int i = 0; i < 10; ++i) {
        tree.set("a/" + std::to_string(i), message("a"));
    }
    int seen = 0;
    tree.match("a/+", [&](const MessagePtr&) { return ++seen < 3; });
    EXPECT_EQ(seen, 3);
}

TEST(RetainedTree, bounds_are_answered) {
    RetainedTree tree({.seed = 1, .topics_max = 1});
    EXPECT_EQ(tree.set("a", message("a")), Outcome::added);
    EXPECT_EQ(tree.set("b", message("b")), Outcome::full);
    EXPECT_EQ(tree.set("a", message("a")), Outcome::replaced);
    std::string deep = "a";
    for (std::size_t level = 0; level < topic_levels_max; ++level) {
        deep += "/a";
    }
    EXPECT_EQ(tree.set(deep, message("a")), Outcome::too_deep);
}

std::string random_topic(Random& random, bool is_filter) {
    static constexpr std::string_view levels[] = {"a", "b", "", "$x", "+", "#"};
    std::string made;
    const std::size_t size = 1 + random.below(4);
    for (std::size_t at = 0; at < size; ++at) {
        made += at == 0 ? "" : "/";
        made += levels[random.below(!is_filter ? 4 : at + 1 == size ? 6 : 5)];
    }
    return made.empty() ? "a" : made;
}

TEST(RetainedTree, agrees_with_naive_matching_through_random_changes) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        Random random(seed);
        RetainedTree tree({.seed = seed});
        std::set<std::string> naive;
        for (int step = 0; step < 500; ++step) {
            const std::string topic = random_topic(random, false);
            if (random.chance(0.6)) {
                EXPECT_EQ(tree.set(topic, message(topic)),
                          naive.insert(topic).second ? Outcome::added : Outcome::replaced);
            } else {
                EXPECT_EQ(tree.erase(topic), naive.erase(topic) == 1);
            }
            const std::string filter = random_topic(random, true);
            std::multiset<std::string> expected;
            for (const std::string& one : naive) {
                if (topic_matches(filter, one)) {
                    expected.insert(one);
                }
            }
            ASSERT_EQ(topics(tree, filter), expected) << "seed " << seed << " step " << step << " filter " << filter;
            ASSERT_EQ(tree.topics(), naive.size());
        }
    }
}

}  // namespace
}  // namespace muster::mqtt
