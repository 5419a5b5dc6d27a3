#include "shadow/shadow_service.h"

#include "base/random.h"
#include "shadow/shadow_service_harness.h"

namespace muster {
namespace {

using boost::json::parse;
using boost::json::value;

class ShadowRole : public ShadowServiceTest {
 protected:
    [[nodiscard]] value stored_shadow(std::string_view id, std::string_view name = {}) const {
        const auto text = read_shadow(store_, id, name);
        return text && *text ? parse(**text) : value(nullptr);
    }
};

TEST_F(ShadowRole, a_device_is_answered_in_the_session_it_asked_from) {
    shadow("d1", "update", R"({"state":{"reported":{"a":1}},"clientToken":"t"})", 7);
    const auto sent = turn();
    const Downlink* accepted = find(sent, "$aws/things/d1/shadow/update/accepted");
    ASSERT_NE(accepted, nullptr);
    EXPECT_EQ(accepted->gateway, "gw-1");
    EXPECT_EQ(accepted->device, "d1");
    EXPECT_EQ(accepted->epoch, 7U);
    EXPECT_EQ(accepted->kind, DownlinkKind::publish);
    EXPECT_EQ(parse(accepted->payload).at("clientToken"), value("t"));
}

TEST_F(ShadowRole, an_update_is_followed_by_delta_and_documents) {
    shadow("d1", "update", R"({"state":{"desired":{"a":1}}})");
    const auto sent = turn();
    EXPECT_EQ(sent.size(), 3U);
    EXPECT_EQ(payload(sent, "$aws/things/d1/shadow/update/delta").at("state"), parse(R"({"a":1})"));
    EXPECT_EQ(payload(sent, "$aws/things/d1/shadow/update/documents").at("current").at("version"), value(1));
}

TEST_F(ShadowRole, requests_of_one_turn_build_on_each_other) {
    shadow("d1", "update", R"({"state":{"reported":{"a":1}}})");
    shadow("d1", "update", R"({"state":{"reported":{"b":2}},"version":1})");
    shadow("d1", "get", "");
    const auto sent = turn();
    EXPECT_EQ(payload(sent, "$aws/things/d1/shadow/get/accepted").at("state"), parse(R"({"reported":{"a":1,"b":2}})"));
    EXPECT_EQ(stored_shadow("d1").at("version"), value(2));
}

TEST_F(ShadowRole, a_bad_request_is_rejected_on_its_own_topic) {
    shadow("d1", "update", "{not json");
    shadow("d1", "get", "");
    shadow("d1", "delete", R"({"clientToken":5})");
    const auto sent = turn();
    EXPECT_EQ(payload(sent, "$aws/things/d1/shadow/update/rejected").at("message"), value("Invalid JSON"));
    EXPECT_EQ(payload(sent, "$aws/things/d1/shadow/get/rejected").at("message"),
              value("No shadow exists with name: 'd1'"));
    EXPECT_EQ(payload(sent, "$aws/things/d1/shadow/delete/rejected").at("code"), value(400));
    EXPECT_EQ(store_.size(), 1U) << "only the position";
}

TEST_F(ShadowRole, named_shadows_are_documents_of_their_own) {
    device("d1", "$aws/things/d1/shadow/name/config/update", R"({"state":{"desired":{"a":1}}})");
    device("d1", "$aws/things/d1/shadow/name/other/get", "");
    shadow("d1", "update", R"({"state":{"reported":{"b":1}}})");
    const auto sent = turn();
    EXPECT_EQ(payload(sent, "$aws/things/d1/shadow/name/config/update/delta").at("state"), parse(R"({"a":1})"));
    EXPECT_EQ(payload(sent, "$aws/things/d1/shadow/name/other/get/rejected").at("message"),
              value("No shadow exists with name: 'd1~other'"));
    EXPECT_EQ(stored_shadow("d1", "config").at("version"), value(1));
    EXPECT_EQ(stored_shadow("d1").at("state"), parse(R"({"reported":{"b":1}})"));
}

TEST_F(ShadowRole, a_device_has_a_bounded_number_of_named_shadows) {
    for (std::size_t i = 0; i <= limits_.named_shadows_max; ++i) {
        device("d1", "$aws/things/d1/shadow/name/n" + std::to_string(i) + "/update",
               R"({"state":{"reported":{"a":1}}})");
        last_sent_ = turn();
    }
    EXPECT_EQ(payload(last_sent_, "$aws/things/d1/shadow/name/n25/update/rejected").at("code"), value(429));
    device("d1", "$aws/things/d1/shadow/name/n3/update", R"({"state":{"reported":{"a":2}}})");
    EXPECT_NE(find(turn(), "$aws/things/d1/shadow/name/n3/update/accepted"), nullptr)
        << "those that are there still work";
}

TEST_F(ShadowRole, the_eleventh_request_in_flight_is_too_many) {
    for (int i = 0; i < 11; ++i) {
        shadow("d1", "update", R"({"state":{"reported":{"a":1}}})");
    }
    shadow("d2", "update", R"({"state":{"reported":{"a":1}}})");
    const auto sent = turn();
    EXPECT_EQ(payload(sent, "$aws/things/d1/shadow/update/rejected").at("code"), value(429));
    EXPECT_NE(find(sent, "$aws/things/d2/shadow/update/accepted"), nullptr);
    EXPECT_EQ(stored_shadow("d1").at("version"), value(10));
    shadow("d1", "update", R"({"state":{"reported":{"a":1}}})");
    EXPECT_NE(find(turn(), "$aws/things/d1/shadow/update/accepted"), nullptr);
}

TEST_F(ShadowRole, what_nobody_may_ask_is_dropped_and_counted) {
    device("d1", "$aws/things/d2/shadow/update", R"({"state":{"reported":{"a":1}}})");
    device("d1", "$aws/things/d1/shadow/dance", "{}");
    device("d1", "$aws/things/d1/shadow/name/a.b/get", "");
    device("d1", "$aws/commands/things/d2/executions/e/response/json", "{}");
    service_->on_request(partition, 100, "rubbish", "d1", "");
    EXPECT_TRUE(turn().empty());
    EXPECT_EQ(counter(R"(muster_shadow_dropped_total{reason="foreign"} )"), 2);
    EXPECT_EQ(counter(R"(muster_shadow_dropped_total{reason="topic"} )"), 2);
    EXPECT_EQ(counter(R"(muster_shadow_dropped_total{reason="malformed"} )"), 1);
}

TEST_F(ShadowRole, an_api_request_is_answered_with_its_correlation) {
    api("d1", shadow_topic("d1", "update"), R"({"state":{"desired":{"a":1}}})");
    const auto sent = turn();
    ASSERT_EQ(sent.size(), 1U) << "the device is away";
    EXPECT_EQ(sent[0].kind, DownlinkKind::reply);
    EXPECT_EQ(sent[0].gateway, "api-1");
    EXPECT_EQ(sent[0].correlation, 100U);
    EXPECT_EQ(sent[0].status, 200);
    EXPECT_EQ(body(sent[0]).at("version"), value(1));
}

TEST_F(ShadowRole, an_api_request_that_fails_says_why) {
    api("d1", shadow_topic("d1", "get"), "");
    EXPECT_EQ(only_reply(turn()).status, 404);
    api("d1", shadow_topic("d1", "update"), R"({"state":{},"version":4})");
    const auto conflict = turn();
    EXPECT_EQ(only_reply(conflict).status, 409);
    EXPECT_EQ(body(only_reply(conflict)).at("message"), value("Version conflict"));
    api("d1", "$aws/things/d2/shadow/get", "");
    EXPECT_EQ(only_reply(turn()).status, 404);
    api("d1", "nonsense", "");
    EXPECT_EQ(only_reply(turn()).status, 404);
}

TEST_F(ShadowRole, a_change_by_the_api_reaches_the_device_that_is_online) {
    online("d1", 5);
    api("d1", shadow_topic("d1", "update"), R"({"state":{"desired":{"a":1}}})");
    const auto sent = turn();
    const Downlink* delta = find(sent, "$aws/things/d1/shadow/update/delta");
    ASSERT_NE(delta, nullptr);
    EXPECT_EQ(delta->epoch, 5U);
    EXPECT_EQ(delta->gateway, "gw-1");
    EXPECT_NE(find(sent, "$aws/things/d1/shadow/update/documents"), nullptr);
    EXPECT_NE(find(sent, "$aws/things/d1/shadow/update/accepted"), nullptr) << "as AWS tells a device of REST updates";
}

TEST_F(ShadowRole, a_change_by_the_api_reaches_a_device_whose_status_comes_a_moment_later) {
    api("d1", shadow_topic("d1", "update"), R"({"state":{"desired":{"a":1}}})");
    online("d1");
    EXPECT_NE(find(turn(), "$aws/things/d1/shadow/update/delta"), nullptr);
    EXPECT_TRUE(turn().empty()) << "once";
}

TEST_F(ShadowRole, nothing_is_sent_to_a_device_that_has_gone) {
    online("d1");
    offline("d1");
    api("d1", shadow_topic("d1", "update"), R"({"state":{"desired":{"a":1}}})");
    EXPECT_EQ(turn().size(), 1U);
    online("d1", 2);
    service_->on_status(partition, "d1", "");
    api("d1", shadow_topic("d1", "update"), R"({"state":{"desired":{"a":2}}})");
    EXPECT_EQ(turn().size(), 1U) << "a removed status record";
}

TEST_F(ShadowRole, a_late_status_of_an_older_session_changes_nothing) {
    subscribed("d1", shadow_topic("d1", "update/delta"), 2, "gw-2");
    offline("d1", 1);
    api("d1", shadow_topic("d1", "update"), R"({"state":{"desired":{"a":1}}})");
    const auto sent = turn();
    const Downlink* delta = find(sent, "$aws/things/d1/shadow/update/delta");
    ASSERT_NE(delta, nullptr);
    EXPECT_EQ(delta->gateway, "gw-2");
    EXPECT_EQ(delta->epoch, 2U);
}

TEST_F(ShadowRole, desired_state_set_while_away_is_found_on_subscribing) {
    api("d1", shadow_topic("d1", "update"), R"({"state":{"desired":{"a":1}}})");
    (void)turn();
    for (const std::string_view filter :
         {"$aws/things/d1/shadow/update/delta", "$aws/things/d1/shadow/#", "$aws/things/+/shadow/update/+", "$aws/#"}) {
        subscribed("d1", filter, 3);
        EXPECT_EQ(payload(turn(), "$aws/things/d1/shadow/update/delta").at("state"), parse(R"({"a":1})")) << filter;
    }
    for (const std::string_view filter : {"$aws/things/d1/shadow/update/accepted", "$aws/things/d2/shadow/#", "#"}) {
        subscribed("d1", filter, 3);
        EXPECT_TRUE(turn().empty()) << filter;
    }
}

TEST_F(ShadowRole, subscribing_brings_the_deltas_of_named_shadows_that_the_filter_covers) {
    api("d1", "$aws/things/d1/shadow/name/a/update", R"({"state":{"desired":{"a":1}}})");
    api("d1", "$aws/things/d1/shadow/name/b/update", R"({"state":{"desired":{"b":1}}})");
    api("d1", "$aws/things/d1/shadow/name/c/update", R"({"state":{"reported":{"c":1}}})");
    (void)turn();
    subscribed("d1", "$aws/things/d1/shadow/name/b/update/delta");
    const auto one = turn();
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one[0].topic, "$aws/things/d1/shadow/name/b/update/delta");
    subscribed("d1", "$aws/things/d1/shadow/name/+/update/delta");
    EXPECT_EQ(turn().size(), 2U) << "c has no difference";
}

TEST_F(ShadowRole, a_shadow_without_difference_sends_nothing_on_subscribing) {
    shadow("d1", "update", R"({"state":{"desired":{"a":1},"reported":{"a":1}}})");
    (void)turn();
    subscribed("d1", "$aws/things/d1/shadow/update/delta");
    EXPECT_TRUE(turn().empty());
}

TEST_F(ShadowRole, a_subscription_of_an_older_session_is_ignored) {
    api("d1", shadow_topic("d1", "update"), R"({"state":{"desired":{"a":1}}})");
    (void)turn();
    online("d1", 5);
    subscribed("d1", "$aws/things/d1/shadow/#", 4);
    EXPECT_TRUE(turn().empty());
}

TEST_F(ShadowRole, deletion_is_told_and_read_as_absent) {
    shadow("d1", "update", R"({"state":{"desired":{"a":1}}})");
    shadow("d1", "delete", "");
    const auto sent = turn();
    EXPECT_EQ(payload(sent, "$aws/things/d1/shadow/delete/accepted").at("version"), value(1));
    EXPECT_TRUE(stored_shadow("d1").is_null());
    shadow("d1", "update", R"({"state":{"desired":{"a":1}}})");
    (void)turn();
    EXPECT_EQ(stored_shadow("d1").at("version"), value(2));
}

TEST_F(ShadowRole, a_store_that_cannot_be_read_is_an_internal_failure) {
    store_.fails = true;
    shadow("d1", "get", "");
    store_.fails = false;
    EXPECT_EQ(payload(turn(), "$aws/things/d1/shadow/get/rejected").at("message"), value("Internal service failure"));
}

TEST_F(ShadowRole, a_shadow_that_is_damaged_in_the_store_is_an_internal_failure) {
    const std::array damage{DocumentWrite{"shadow", "d1/", "{"}};
    ASSERT_TRUE(store_.commit(damage));
    shadow("d1", "update", R"({"state":{"reported":{"a":1}}})");
    EXPECT_EQ(payload(turn(), "$aws/things/d1/shadow/update/rejected").at("code"), value(500));
}

// ---- kill -9 ----

TEST_F(ShadowRole, records_that_were_applied_before_kill_nine_are_not_applied_again) {
    shadow("d1", "update", R"({"state":{"reported":{"a":1}}})");
    (void)turn();
    shadow("d1", "update", R"({"state":{"reported":{"a":2}}})");
    api("d1", create_command_topic, R"({"name":"reboot"})");
    die_after_commit_and_restart();
    EXPECT_EQ(stored_shadow("d1").at("version"), value(2));
    (void)turn();
    EXPECT_EQ(stored_shadow("d1").at("version"), value(2));
    EXPECT_EQ(list_commands(store_, "d1", 10)->size(), 1U);
    EXPECT_EQ(counter("muster_shadow_replayed_total "), 2);
}

TEST_F(ShadowRole, answers_that_had_not_left_before_kill_nine_are_sent_after_it) {
    online("d1");
    shadow("d1", "update", R"({"state":{"reported":{"a":1}},"clientToken":"t"})", 7);
    api("d1", shadow_topic("d1", "update"), R"({"state":{"desired":{"a":2}}})");
    die_after_commit_and_restart();
    const auto sent = turn();
    EXPECT_EQ(only_reply(sent).correlation, 101U);
    EXPECT_EQ(payload(sent, "$aws/things/d1/shadow/update/delta").at("state"), parse(R"({"a":2})"));
    const Downlink* accepted = find(sent, "$aws/things/d1/shadow/update/accepted");
    ASSERT_NE(accepted, nullptr);
    EXPECT_EQ(accepted->epoch, 7U);
    EXPECT_EQ(accepted->gateway, "gw-1");
    EXPECT_EQ(parse(accepted->payload).at("clientToken"), value("t"));
    EXPECT_TRUE(turn().empty()) << "once";
}

TEST_F(ShadowRole, answers_that_had_left_are_not_sent_again) {
    shadow("d1", "update", R"({"state":{"reported":{"a":1}}})");
    (void)turn();
    restart();
    EXPECT_TRUE(turn().empty());
}

TEST_F(ShadowRole, what_was_not_committed_before_kill_nine_is_made_after_it) {
    shadow("d1", "update", R"({"state":{"reported":{"a":1}}})");
    die_and_restart();
    EXPECT_NE(find(turn(), "$aws/things/d1/shadow/update/accepted"), nullptr);
    EXPECT_EQ(stored_shadow("d1").at("version"), value(1));
}

TEST_F(ShadowRole, kill_nine_between_any_two_turns_and_steps_gives_the_versions_of_an_undisturbed_run) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        const std::string id = "device-" + std::to_string(seed);
        std::int64_t updates = 0;
        for (int step = 0; step < 40; ++step) {
            const std::uint64_t what = random.below(8);
            if (what < 4) {
                ++updates;
                shadow(id, "update", R"({"state":{"reported":{"n":)" + std::to_string(updates) + "}}}");
            } else if (what < 6) {
                (void)turn();
            } else if (what == 6) {
                die_and_restart();
            } else {
                die_after_commit_and_restart();
            }
            if (updates % 8 == 7) {
                (void)turn();  // stays under the bound of requests in flight
            }
        }
        (void)turn();
        if (updates > 0) {
            EXPECT_EQ(stored_shadow(id).at("version"), value(updates));
            EXPECT_EQ(stored_shadow(id).at("state").at("reported").at("n"), value(updates));
        }
    }
}

TEST_F(ShadowRole, a_position_that_cannot_be_read_refuses_the_partition) {
    store_.fails = true;
    EXPECT_FALSE(service_->assign(partition));
    store_.fails = false;
    const std::array damage{DocumentWrite{"shadow_cursor", "3", "{}"}};
    ASSERT_TRUE(store_.commit(damage));
    EXPECT_FALSE(service_->assign(partition));
}

}  // namespace
}  // namespace muster
