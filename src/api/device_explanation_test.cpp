#include "api/device_explanation.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "contract/json.h"

namespace muster {
namespace {

struct Explanation : testing::Test {
    ExplanationSources from;

    Explanation() {
        from.now = from_epoch_ms(1'700'000'000'000);
        from.pipeline.newest = from.now - Millis(300);
        from.partition = 3;
        StatusDocument& document = from.device.document;
        document.id = "d";
        document.state = PresenceState::online;
        document.cause = Cause::connect;
        document.since = from.now - Seconds(100);
        document.last_seen = document.since;
        document.epoch = 5;
        document.gateway = "gw-1";
        document.keep_alive_s = 300;
        document.client_address = "192.0.2.7:4242";
        document.evidence.session_began = document.since;
        document.evidence.timeout_s = 60;
        from.device.last_seen = from.now - Seconds(10);
        from.device.last_published = from.device.last_seen;
    }
    [[nodiscard]] boost::json::object explained() const { return *json::parse_object(explanation_json(from)); }
    [[nodiscard]] std::vector<std::string> kinds() const {
        std::vector<std::string> kinds;
        const boost::json::object object = explained();
        for (const auto& entry : object.at("evidence").as_array()) {
            kinds.emplace_back(entry.at("kind").as_string());
        }
        return kinds;
    }
    [[nodiscard]] boost::json::object evidence(std::string_view kind) const {
        const boost::json::object object = explained();
        for (const auto& entry : object.at("evidence").as_array()) {
            if (entry.at("kind").as_string() == kind) {
                return entry.as_object();
            }
        }
        ADD_FAILURE() << "no evidence of kind " << kind;
        return {};
    }
    [[nodiscard]] std::string text(std::string_view kind) const {
        const auto entry = evidence(kind);
        return entry.empty() ? std::string() : std::string(entry.at("text").as_string());
    }
};

TEST_F(Explanation, weighs_the_evidence_in_order) {
    EXPECT_EQ(kinds(), (std::vector<std::string>{"last_packet", "ping", "will", "session", "epoch", "heartbeat",
                                                 "ticks", "damping"}));
    EXPECT_EQ(explained().at("verdict").as_string(),
              "Online since 2023-11-14 22:11:40 UTC (1 min 40 s ago), because it connected.");
    EXPECT_EQ(text("last_packet"), "The last sign of life came 10 s ago: a message.");
}

TEST_F(Explanation, the_allowed_silence_follows_what_the_session_has_shown) {
    EXPECT_EQ(evidence("heartbeat").at("fields").at("allowed_s").as_int64(), 60);
    from.device.last_published = {};
    EXPECT_EQ(evidence("heartbeat").at("fields").at("allowed_s").as_int64(), 450);
    EXPECT_EQ(evidence("heartbeat").at("fields").at("rule").as_string(), "keep_alive");
    from.device.document.evidence.timeout_rule = TimeoutRule::model;
    from.device.document.evidence.timeout_s = 900;
    EXPECT_EQ(evidence("heartbeat").at("fields").at("rule").as_string(), "model");
}

TEST_F(Explanation, a_stalled_pipeline_is_told_in_the_verdict) {
    from.pipeline.newest = from.now - Seconds(30);
    EXPECT_NE(std::string(explained().at("verdict").as_string()).find("30 s behind"), std::string::npos);
    EXPECT_FALSE(evidence("ticks").at("fields").at("fresh").as_bool());
}

TEST_F(Explanation, a_fight_over_the_id_is_named) {
    from.device.document.overlays = static_cast<Overlays>(Overlay::contested);
    from.device.document.evidence.take_overs = 6;
    EXPECT_EQ(text("contest"), "Two clients fight over this id: 6 take-overs in all. Give one of them another id.");
}

TEST_F(Explanation, the_penalty_is_that_of_now) {
    from.device.document.flap_penalty = 2000;
    from.device.document.since = from.device.document.last_seen = from.now - std::chrono::minutes(15);
    EXPECT_EQ(evidence("damping").at("fields").at("penalty").to_number<double>(), 1000);
}

TEST_F(Explanation, maintenance_and_rules_are_shown_with_their_names) {
    from.device.document.overlays = static_cast<Overlays>(Overlay::maintenance);
    from.device.document.evidence.maintenance = "w-1";
    from.policy.maintenance = {{"w-1", {"in", "", {}}, from.now, from.now + Seconds(60), "new mast", "ops"}};
    Incident incident;
    incident.id = "i-1";
    incident.rule = "region_offline_share";
    incident.region = "in";
    incident.title = "in is going dark";
    from.incidents = {incident};
    EXPECT_EQ(text("maintenance"),
              "It is in maintenance until 2023-11-14 22:14:20 UTC (new mast): it counts neither way.");
    EXPECT_EQ(text("rule"), "Rule region_offline_share has an incident open where it is (in): in is going dark");
}

TEST_F(Explanation, a_rule_on_values_is_shown_to_its_members_and_to_who_may_be_one) {
    Incident incident;
    incident.id = "odd:1";
    incident.rule = "odd";
    incident.members = 2;
    incident.devices = {{"d", "temperature was 41.2, 9.3 deviations from its usual"}, {"e", "x"}};
    from.incidents = {incident};
    EXPECT_EQ(text("rule"), "Rule odd holds against it: temperature was 41.2, 9.3 deviations from its usual.");
    EXPECT_TRUE(evidence("rule").at("fields").at("member").as_bool());
    from.incidents[0].devices.erase(from.incidents[0].devices.begin());
    EXPECT_NE(text("rule").find("has an incident open where it is"), std::string::npos) << "not all are listed";
    from.incidents[0].members = 1;
    const auto shown = kinds();
    EXPECT_EQ(std::count(shown.begin(), shown.end(), "rule"), 0) << "it is another device's";
}

TEST_F(Explanation, one_who_was_never_seen_is_told_so) {
    from.device = {};
    from.device.document.id = "d";
    EXPECT_EQ(explained().at("verdict").as_string(),
              "Never seen: an operator registered it, and it has not connected yet.");
    EXPECT_EQ(text("last_packet"), "Nothing has ever been heard of it.");
    EXPECT_EQ(text("session"), "It has had no session.");
}

}  // namespace
}  // namespace muster
