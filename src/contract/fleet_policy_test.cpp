#include "contract/fleet_policy.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

FleetPolicy example() {
    FleetPolicy policy;
    policy.version = 7;
    policy.heartbeat_timeouts_s = {{"m1", 30}, {"meter", 86'400}};
    policy.maintenance = {
        {"a", {"in/ka", "m1", {"d-1", "d-2"}}, from_epoch_ms(1000), from_epoch_ms(2000), "mast", "ops"},
        {"b", {"", "", {"d-3"}}, from_epoch_ms(1), from_epoch_ms(2), "", ""}};
    return policy;
}

TEST(FleetPolicy, reads_back_what_it_wrote) {
    const auto read = parse_fleet_policy(to_json(example()));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, example());
    EXPECT_EQ(to_json(*read), to_json(example()));
}

TEST(FleetPolicy, a_query_takes_a_region_with_all_below_and_no_neighbour) {
    const DeviceQuery query{"in/ka", "", {}};
    EXPECT_TRUE(query.matches("d", "in/ka", "m"));
    EXPECT_TRUE(query.matches("d", "in/ka/ka-04", "m"));
    EXPECT_FALSE(query.matches("d", "in/karnataka", "m"));
    EXPECT_FALSE(query.matches("d", "in", "m"));
}

TEST(FleetPolicy, a_query_takes_those_that_meet_every_condition) {
    const DeviceQuery query{"in", "m1", {"a", "c"}};
    EXPECT_TRUE(query.matches("a", "in/ka", "m1"));
    EXPECT_FALSE(query.matches("b", "in/ka", "m1"));
    EXPECT_FALSE(query.matches("a", "in/ka", "m2"));
    EXPECT_FALSE(query.matches("a", "de", "m1"));
}

TEST(FleetPolicy, what_cannot_be_is_refused_in_words) {
    for (
        const char* wrong : {
            R"([])",
            R"({"heartbeat_timeouts_s":{"m":4}})",
            R"({"heartbeat_timeouts_s":{"m":"x"}})",
            R"({"heartbeat_timeouts_s":{"":60}})",
            R"({"maintenance":[{"id":"a","query":{},"from":1,"to":2}]})",
            R"({"maintenance":[{"id":"a","query":{"model":"m"},"from":2,"to":2}]})",
            R"({"maintenance":[{"id":"a","query":{"model":"m"},"to":2}]})",
            R"({"maintenance":[{"id":"a b","query":{"model":"m"},"from":1,"to":2}]})",
            R"({"maintenance":[{"id":"a","query":{"region":"IN"},"from":1,"to":2}]})",
            R"({"maintenance":[{"id":"a","query":{"devices":["a/b"]},"from":1,"to":2}]})",
            R"({"maintenance":[{"id":"a","query":{"model":"m"},"from":1,"to":2},{"id":"a","query":{"model":"m"},"from":1,"to":2}]})",
        }) {
        EXPECT_FALSE(parse_fleet_policy(wrong)) << wrong;
    }
    EXPECT_FALSE(parse_fleet_policy(std::string(policy_bytes_max + 1, ' ')));
}

}  // namespace
}  // namespace muster
