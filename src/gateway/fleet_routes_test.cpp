#include "gateway/fleet_routes.h"

#include <algorithm>
#include <array>
#include <map>

#include <gtest/gtest.h>

#include "gateway/share_settlement.h"

namespace muster {
namespace {

mqtt::Subscriber subscriber(std::uint64_t handle) {
    return {.handle = handle, .subscription_identifier = 0, .options = mqtt::SubscriptionOptions::of_qos(0)};
}

GatewayRoutes with_group(std::string name, std::uint32_t members, std::uint32_t connected) {
    GatewayRoutes routes;
    routes.groups.push_back({std::move(name), members, connected});
    return routes;
}

/// What one gateway knows and decides.
struct View {
    explicit View(const std::string& name, const GatewayLimits& limits = {}) {
        options.name = name;
        options.limits = limits;
    }

    void hear(const std::string& gateway, const GatewayRoutes& announced, bool is_confirmed = true,
              Millis now = Millis(0)) {
        EXPECT_TRUE(routes.read(gateway, to_json(announced), is_confirmed, now));
    }
    /// Members here that get a message published here; `header` has the rest.
    std::size_t publish(std::string_view topic) {
        decision.clear();
        std::vector<Recipient> found;
        index.match(topic, found, [&](const SharedGroup& group) { return decision.is_here(group); });
        return found.size();
    }
    /// Members here that get a message of another gateway.
    std::size_t receive(std::string_view topic, std::string_view writer, std::string_view header,
                        std::uint64_t message = 0) {
        const auto assigned = ShareAssignmentsView::parse(header);
        EXPECT_TRUE(assigned);
        ShareReading reading(options.name, writer, *assigned, message);
        std::vector<Recipient> found;
        index.match(topic, found, [&](const SharedGroup& group) { return reading.is_here(group); });
        missed += reading.missed();
        return found.size();
    }

    GatewayOptions options;
    SubscriptionIndex index{1, 1000};
    FleetRoutes routes{index, options};
    ShareDecision decision{options.name};
    std::size_t missed = 0;
};

/// Gateways that have all heard of each other.
struct Fleet {
    void announce() {
        for (View* from : all) {
            for (View* to : all) {
                to->hear(from->options.name, from->index.routes());
            }
        }
    }
    /// Deliveries at each for one message that is published at the first.
    std::array<std::size_t, 3> publish(std::string_view topic) {
        std::array<std::size_t, 3> got{a.publish(topic)};
        got[1] = b.receive(topic, "gw-a", a.decision.header());
        got[2] = c.receive(topic, "gw-a", a.decision.header());
        return got;
    }

    View a{"gw-a"};
    View b{"gw-b"};
    View c{"gw-c"};
    std::array<View*, 3> all{&a, &b, &c};
};

TEST(FleetRoutes, what_others_want_is_known_until_they_want_it_no_more) {
    View view("gw-a");
    EXPECT_FALSE(view.routes.is_wanted(TopicClass::telemetry));
    GatewayRoutes routes;
    routes.wants_telemetry = true;
    view.hear("gw-b", routes);
    EXPECT_TRUE(view.routes.is_wanted(TopicClass::telemetry));
    EXPECT_FALSE(view.routes.is_wanted(TopicClass::status));
    view.hear("gw-b", {});
    EXPECT_FALSE(view.routes.is_wanted(TopicClass::telemetry));
    EXPECT_EQ(view.routes.gateways(), 1U);
    view.routes.forget("gw-b");
    EXPECT_EQ(view.routes.gateways(), 0U);
}

TEST(FleetRoutes, a_gateway_that_is_silent_for_fifteen_seconds_has_gone) {
    View view("gw-a");
    GatewayRoutes routes = with_group("g/news", 1, 1);
    routes.wants_status = true;
    view.hear("gw-b", routes, true, Millis(1000));
    view.hear("gw-c", routes, true, Millis(9000));
    view.routes.forget_silent(Millis(15'999));
    EXPECT_EQ(view.routes.gateways(), 2U);
    view.routes.forget_silent(Millis(16'000));
    EXPECT_EQ(view.routes.gateways(), 1U);
    EXPECT_EQ(view.routes.groups(), 1U);
    EXPECT_TRUE(view.routes.is_wanted(TopicClass::status));
    view.routes.forget_silent(Millis(24'000));
    EXPECT_FALSE(view.routes.is_wanted(TopicClass::status));
    EXPECT_EQ(view.publish("news"), 0U);
    EXPECT_TRUE(view.decision.header().empty()) << "a group of a gateway that has gone is still given messages";
}

TEST(FleetRoutes, what_this_gateway_announced_itself_is_passed_over) {
    View view("gw-a");
    view.hear("gw-a", with_group("g/news", 1, 1));
    EXPECT_EQ(view.routes.gateways(), 0U);
    EXPECT_EQ(view.publish("news"), 0U);
}

TEST(FleetRoutes, a_malformed_record_leaves_what_was_known) {
    View view("gw-a");
    view.hear("gw-b", with_group("g/news", 1, 1));
    for (const char* text : {"rubbish", R"({"groups":[{"name":"no-filter","members":1}]})",
                             R"({"groups":[{"name":"g/a/#/b","members":1}]})",
                             R"({"groups":[{"name":"+/news","members":1}]})", R"({"groups":[{"name":"g/x"}]})"}) {
        EXPECT_FALSE(view.routes.read("gw-b", text, true, Millis(1))) << text;
    }
    EXPECT_FALSE(view.routes.read("", "{}", true, Millis(1)));
    EXPECT_FALSE(view.routes.read(std::string(65, 'x'), "{}", true, Millis(1)));
    EXPECT_EQ(view.routes.groups(), 1U);
    EXPECT_EQ(view.publish("news"), 0U);
    EXPECT_EQ(view.decision.elsewhere(), 1U);
}

TEST(FleetRoutes, what_there_is_no_room_for_is_counted) {
    GatewayLimits limits;
    limits.routes_gateways_max = 2;
    limits.routes_groups_max = 3;
    View view("gw-a", limits);
    GatewayRoutes routes;
    routes.groups = {{"g/1", 1, 1}, {"g/2", 1, 1}};
    view.hear("gw-b", routes);
    view.hear("gw-c", routes);
    view.hear("gw-d", routes);
    EXPECT_EQ(view.routes.gateways(), 2U);
    EXPECT_EQ(view.routes.groups(), 3U);
    EXPECT_EQ(view.routes.overlooked(), 2U);
    view.routes.forget("gw-b");
    view.hear("gw-c", routes);
    EXPECT_EQ(view.routes.groups(), 2U);
}

TEST(FleetRoutes, a_filter_of_groups_elsewhere_leaves_the_index_with_the_last_of_them) {
    View view("gw-a");
    view.index.subscribe("$share/g/telemetry/#", subscriber(1));
    view.hear("gw-b", with_group("g/telemetry/#", 1, 1));
    view.index.unsubscribe("$share/g/telemetry/#", 1);
    EXPECT_EQ(view.publish("telemetry/d"), 0U);
    EXPECT_EQ(view.decision.elsewhere(), 1U);
    EXPECT_EQ(view.index.subscriptions(), 0U);
    view.routes.forget("gw-b");
    EXPECT_EQ(view.publish("telemetry/d"), 0U);
    EXPECT_EQ(view.decision.elsewhere(), 0U);
}

TEST(FleetRoutes, own_routes_are_what_is_not_shared_and_the_groups_with_members_here) {
    View view("gw-a");
    view.hear("gw-b", with_group("h/telemetry/#", 1, 1));
    const std::uint64_t before = view.index.changes();
    view.index.subscribe("$share/g/telemetry/#", subscriber(1), false);
    EXPECT_FALSE(view.index.routes().wants_telemetry);
    EXPECT_EQ(view.index.routes(), with_group("g/telemetry/#", 1, 0));
    EXPECT_GT(view.index.changes(), before);
    view.index.note_connected("$share/g/telemetry/#", 1, true);
    EXPECT_EQ(view.index.routes(), with_group("g/telemetry/#", 1, 1));
    view.index.subscribe("telemetry/+", subscriber(2));
    EXPECT_TRUE(view.index.routes().wants_telemetry);
    EXPECT_FALSE(view.index.routes().wants_status);
    view.index.subscribe("+/d", subscriber(2));
    EXPECT_TRUE(view.index.routes().wants_status);
    const std::uint64_t after = view.index.changes();
    view.index.subscribe("news/#", subscriber(2));
    view.index.subscribe("telemetry/d", subscriber(3));
    EXPECT_EQ(view.index.changes(), after) << "nothing of it concerns other gateways";
}

TEST(SharedFleet, each_message_goes_to_one_member_in_proportion_to_those_connected) {
    Fleet fleet;
    fleet.a.index.subscribe("$share/g/news/#", subscriber(1));
    for (std::uint64_t i = 0; i < 2; ++i) {
        fleet.b.index.subscribe("$share/g/news/#", subscriber(i));
    }
    for (std::uint64_t i = 0; i < 3; ++i) {
        fleet.c.index.subscribe("$share/g/news/#", subscriber(i));
    }
    fleet.c.index.subscribe("$share/g/news/#", subscriber(9), false);
    fleet.announce();
    std::array<std::size_t, 3> sum{};
    for (int i = 0; i < 600; ++i) {
        const auto got = fleet.publish("news/x");
        ASSERT_EQ(got[0] + got[1] + got[2], 1U);
        std::transform(got.begin(), got.end(), sum.begin(), sum.begin(), std::plus<>());
    }
    EXPECT_EQ(sum, (std::array<std::size_t, 3>{100, 200, 300}));
}

TEST(SharedFleet, those_that_are_away_get_a_message_only_when_nobody_is_there) {
    Fleet fleet;
    fleet.a.index.subscribe("$share/g/news/#", subscriber(1), false);
    fleet.b.index.subscribe("$share/g/news/#", subscriber(1), true);
    fleet.announce();
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(fleet.publish("news/x"), (std::array<std::size_t, 3>{0, 1, 0}));
    }
    fleet.b.index.note_connected("$share/g/news/#", 1, false);
    fleet.announce();
    std::array<std::size_t, 3> sum{};
    for (int i = 0; i < 10; ++i) {
        const auto got = fleet.publish("news/x");
        std::transform(got.begin(), got.end(), sum.begin(), sum.begin(), std::plus<>());
    }
    EXPECT_EQ(sum, (std::array<std::size_t, 3>{5, 5, 0}));
}

TEST(SharedFleet, every_group_gets_its_own_copy_and_no_other_gateway_takes_it) {
    Fleet fleet;
    for (View* view : fleet.all) {
        view->index.subscribe("$share/g/news/#", subscriber(1));
        view->index.subscribe("$share/h/news/#", subscriber(1));
        view->index.subscribe("$share/h/+/x", subscriber(2));
    }
    fleet.announce();
    for (int i = 0; i < 30; ++i) {
        const auto got = fleet.publish("news/x");
        EXPECT_EQ(got[0] + got[1] + got[2], 3U);
    }
}

TEST(SharedFleet, a_group_that_the_publishers_gateway_does_not_know_yet_is_settled_without_it) {
    Fleet fleet;
    fleet.a.index.subscribe("$share/g/news/#", subscriber(1));
    fleet.announce();
    fleet.b.index.subscribe("$share/new/news/#", subscriber(1));
    fleet.c.index.subscribe("$share/new/news/#", subscriber(1));
    for (View* view : {&fleet.b, &fleet.c}) {
        view->hear("gw-b", fleet.b.index.routes());
        view->hear("gw-c", fleet.c.index.routes());
    }
    EXPECT_EQ(fleet.a.publish("news/x"), 1U);
    std::array<std::size_t, 2> sum{};
    for (std::uint64_t message = 0; message < 200; ++message) {
        const std::size_t b = fleet.b.receive("news/x", "gw-a", fleet.a.decision.header(), message);
        const std::size_t c = fleet.c.receive("news/x", "gw-a", fleet.a.decision.header(), message);
        ASSERT_EQ(b + c, 1U);
        sum[0] += b;
        sum[1] += c;
    }
    EXPECT_GT(std::min(sum[0], sum[1]), 60U);
}

TEST(SharedFleet, lifecycle_events_go_to_one_member_although_nobody_assigned_them) {
    Fleet fleet;
    for (View* view : fleet.all) {
        view->index.subscribe("$share/g/$aws/events/#", subscriber(1));
    }
    fleet.announce();
    std::array<std::size_t, 3> sum{};
    for (std::uint64_t message = 0; message < 300; ++message) {
        std::size_t all = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            const std::size_t got = fleet.all[i]->receive("$aws/events/presence/connected/d", "processor", {}, message);
            sum[i] += got;
            all += got;
        }
        ASSERT_EQ(all, 1U);
    }
    EXPECT_GT(*std::min_element(sum.begin(), sum.end()), 60U);
    // Only one of them has a member that is connected.
    fleet.a.index.note_connected("$share/g/$aws/events/#", 1, false);
    fleet.c.index.note_connected("$share/g/$aws/events/#", 1, false);
    fleet.announce();
    EXPECT_EQ(fleet.a.receive("$aws/events/presence/connected/d", "processor", {}), 0U);
    EXPECT_EQ(fleet.b.receive("$aws/events/presence/connected/d", "processor", {}), 1U);
    EXPECT_EQ(fleet.c.receive("$aws/events/presence/connected/d", "processor", {}), 0U);
}

TEST(SharedFleet, another_member_of_the_chosen_gateway_takes_what_was_for_one_that_has_gone) {
    Fleet fleet;
    fleet.b.index.subscribe("$share/g/news", subscriber(1));
    fleet.b.index.subscribe("$share/g/news", subscriber(2));
    fleet.announce();
    EXPECT_EQ(fleet.a.publish("news"), 0U);
    fleet.b.index.unsubscribe("$share/g/news", 1);
    EXPECT_EQ(fleet.b.receive("news", "gw-a", fleet.a.decision.header()), 1U);
    EXPECT_EQ(fleet.b.missed, 0U);
    fleet.b.index.unsubscribe("$share/g/news", 2);
    EXPECT_EQ(fleet.b.receive("news", "gw-a", fleet.a.decision.header()), 0U);
    EXPECT_EQ(fleet.b.missed, 1U);
    EXPECT_EQ(fleet.c.receive("news", "gw-a", fleet.a.decision.header()), 0U);
    EXPECT_EQ(fleet.c.missed, 0U);
}

TEST(SharedFleet, the_leftover_of_a_killed_gateway_is_given_nothing_until_it_speaks) {
    Fleet fleet;
    fleet.a.hear("gw-b", with_group("g/telemetry/#", 1, 1), false);
    fleet.a.index.subscribe("$share/g/telemetry/#", subscriber(1));
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(fleet.a.publish("telemetry/d"), 1U);
    }
    EXPECT_TRUE(fleet.a.routes.is_wanted(TopicClass::telemetry)) << "it may live";
    fleet.a.hear("gw-b", with_group("g/telemetry/#", 1, 1), true);
    EXPECT_FALSE(fleet.a.routes.is_wanted(TopicClass::telemetry)) << "only what is assigned to it";
    EXPECT_EQ(fleet.a.publish("telemetry/d") + fleet.a.publish("telemetry/d"), 1U);
}

TEST(SharedFleet, when_more_groups_match_than_a_record_can_name_none_gets_a_message_twice) {
    Fleet fleet;
    constexpr int groups = 700;
    for (View* view : fleet.all) {
        for (int i = 0; i < groups; ++i) {
            view->index.subscribe("$share/" + std::to_string(i) + std::string(30, 'g') + "/news", subscriber(1));
        }
    }
    fleet.announce();
    const auto got = fleet.publish("news");
    EXPECT_EQ(got[0] + got[1] + got[2], static_cast<std::size_t>(groups));
}

}  // namespace
}  // namespace muster
