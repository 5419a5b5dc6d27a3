#include "shadow/command_requests.h"

#include "shadow/shadow_service_harness.h"

namespace muster {
namespace {

using boost::json::parse;
using boost::json::value;

class Commands : public ShadowServiceTest {
 protected:
    void answer(std::string_view execution_id, std::string_view payload_text, SessionEpoch epoch = 1) {
        device("d1", command_topic("d1", execution_id, "response/json"), payload_text, epoch);
        last_sent_ = turn();
    }
    [[nodiscard]] bool was_sent(std::string_view execution_id) const {
        return find(last_sent_, command_topic("d1", execution_id, "request/json")) != nullptr;
    }
    [[nodiscard]] std::string refusal(std::string_view execution_id) const {
        const auto rejected = payload(last_sent_, command_topic("d1", execution_id, "response/rejected/json"));
        return rejected.is_object() ? std::string(rejected.at("error").as_string()) : "(none)";
    }
};

TEST_F(Commands, one_for_a_device_that_listens_is_sent_at_once) {
    takes_commands("d1", 4);
    const std::string id = command("d1", R"({"name":"reboot","parameters":{"delay_s":1},"created_by":"operator"})");
    const Downlink* request = find(last_sent_, command_topic("d1", id, "request/json"));
    ASSERT_NE(request, nullptr);
    EXPECT_EQ(request->epoch, 4U);
    EXPECT_EQ(parse(request->payload).at("parameters"), parse(R"({"delay_s":1})"));
    EXPECT_EQ(only_reply(last_sent_).status, 201);
    EXPECT_EQ(body(only_reply(last_sent_)).at("status"), value("SENT"));
    EXPECT_EQ(body(only_reply(last_sent_)).at("created_by"), value("operator"));
    EXPECT_EQ(status_of(id), "SENT");
}

TEST_F(Commands, the_devices_answer_ends_it) {
    takes_commands("d1");
    const std::string id = command("d1");
    answer(id, R"({"status":"IN_PROGRESS"})");
    answer(id, R"({"status":"SUCCEEDED","result":{"uptime_s":3}})");
    EXPECT_EQ(payload(last_sent_, command_topic("d1", id, "response/accepted/json")),
              parse(R"({"executionId":")" + id + R"("})"));
    EXPECT_EQ(steps_of(id), "QUEUED SENT IN_PROGRESS SUCCEEDED");
    EXPECT_EQ(stored_command(id).at("result"), parse(R"({"uptime_s":3})"));
    advance(std::chrono::hours(1));
    (void)turn();
    EXPECT_EQ(status_of(id), "SUCCEEDED");
}

TEST_F(Commands, one_for_a_device_that_is_away_waits_until_it_subscribes) {
    const std::string id = command("d1");
    EXPECT_EQ(status_of(id), "QUEUED");
    subscribed("d1", "$aws/commands/things/d1/executions/+/response/accepted/json", 2);
    last_sent_ = turn();
    EXPECT_FALSE(was_sent(id)) << "it does not listen to requests yet";
    subscribed("d1", "$aws/commands/things/d1/executions/#", 2);
    last_sent_ = turn();
    EXPECT_TRUE(was_sent(id));
    EXPECT_EQ(status_of(id), "SENT");
}

TEST_F(Commands, several_that_wait_are_sent_in_the_order_in_which_they_were_made) {
    const std::string first = command("d1", R"({"name":"first"})");
    const std::string second = command("d1", R"({"name":"second"})");
    takes_commands("d1");
    const auto sent = turn();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].topic, command_topic("d1", first, "request/json"));
    EXPECT_EQ(sent[1].topic, command_topic("d1", second, "request/json"));
}

TEST_F(Commands, one_that_nobody_fetched_expires) {
    const std::string id = command("d1", R"({"name":"reboot","expires_in_s":1})");
    advance(Millis(999));
    (void)turn();
    EXPECT_EQ(status_of(id), "QUEUED");
    advance(Millis(1));
    (void)turn();
    EXPECT_EQ(steps_of(id), "QUEUED EXPIRED");
    EXPECT_EQ(stored_command(id).at("reason").at("code"), value("$EXPIRED"));
    takes_commands("d1");
    last_sent_ = turn();
    EXPECT_FALSE(was_sent(id));
}

TEST_F(Commands, one_past_its_expiry_is_not_delivered_even_before_it_is_swept) {
    const std::string id = command("d1", R"({"name":"reboot","expires_in_s":1})");
    advance(Seconds(1));
    takes_commands("d1");
    EXPECT_EQ(find(end_turn(), command_topic("d1", id, "request/json")), nullptr);
}

TEST_F(Commands, an_online_device_that_does_not_listen_leaves_it_queued) {
    online("d1");
    const std::string id = command("d1", R"({"name":"reboot","expires_in_s":1})");
    EXPECT_TRUE(was_sent(id)) << "it may listen without our knowing, in a kept session";
    EXPECT_EQ(status_of(id), "QUEUED");
    advance(Seconds(1));
    (void)turn();
    EXPECT_EQ(status_of(id), "EXPIRED");
}

TEST_F(Commands, an_answer_proves_that_it_was_delivered) {
    online("d1");
    const std::string id = command("d1");
    answer(id, R"({"status":"SUCCEEDED"})");
    EXPECT_EQ(status_of(id), "SUCCEEDED");
}

TEST_F(Commands, one_that_is_sent_and_not_answered_times_out) {
    takes_commands("d1");
    const std::string id = command("d1", R"({"name":"reboot","timeout_s":10})");
    advance(Millis(9'999));
    (void)turn();
    EXPECT_EQ(status_of(id), "SENT");
    advance(Millis(1));
    (void)turn();
    EXPECT_EQ(steps_of(id), "QUEUED SENT TIMED_OUT");
    answer(id, R"({"status":"SUCCEEDED"})");
    EXPECT_EQ(steps_of(id), "QUEUED SENT TIMED_OUT SUCCEEDED") << "what the device says late is the truth";
}

TEST_F(Commands, a_report_of_progress_renews_the_time_to_answer) {
    takes_commands("d1");
    const std::string id = command("d1", R"({"name":"update","timeout_s":10})");
    advance(Seconds(8));
    answer(id, R"({"status":"IN_PROGRESS"})");
    advance(Seconds(8));
    (void)turn();
    EXPECT_EQ(status_of(id), "IN_PROGRESS");
    advance(Seconds(2));
    (void)turn();
    EXPECT_EQ(status_of(id), "TIMED_OUT");
}

TEST_F(Commands, a_device_that_went_away_before_answering_gets_it_once_in_its_next_session) {
    takes_commands("d1", 1);
    const std::string id = command("d1", R"({"name":"reboot","timeout_s":10,"expires_in_s":100})");
    offline("d1", 1);
    advance(Seconds(50));
    (void)turn();
    EXPECT_EQ(status_of(id), "SENT") << "away, and not expired";
    takes_commands("d1", 2);
    last_sent_ = turn();
    EXPECT_TRUE(was_sent(id));
    takes_commands("d1", 2);
    last_sent_ = turn();
    EXPECT_FALSE(was_sent(id));
    EXPECT_EQ(steps_of(id), "QUEUED SENT");
    advance(Seconds(10));
    (void)turn();
    EXPECT_EQ(status_of(id), "TIMED_OUT");
}

TEST_F(Commands, a_device_that_never_returns_times_out_when_the_command_expires) {
    takes_commands("d1", 1);
    const std::string id = command("d1", R"({"name":"reboot","timeout_s":10,"expires_in_s":100})");
    offline("d1", 1);
    advance(Millis(99'999));
    (void)turn();
    EXPECT_EQ(status_of(id), "SENT");
    advance(Millis(1));
    (void)turn();
    EXPECT_EQ(status_of(id), "TIMED_OUT");
}

TEST_F(Commands, a_device_that_was_silent_for_a_while_still_takes_commands) {
    takes_commands("d1", 1);
    status("d1", PresenceState::offline, 1, Cause::heartbeat_timeout);
    const std::string id = command("d1");
    EXPECT_EQ(status_of(id), "QUEUED");
    status("d1", PresenceState::online, 1, Cause::heartbeat);
    last_sent_ = turn();
    EXPECT_TRUE(was_sent(id));
    EXPECT_EQ(status_of(id), "SENT");
}

TEST_F(Commands, an_idempotency_key_makes_one_command) {
    const std::string_view wanted = R"({"name":"reboot","idempotency_key":"once"})";
    const std::string id = command("d1", wanted);
    EXPECT_EQ(command("d1", wanted), id);
    EXPECT_EQ(only_reply(last_sent_).status, 200);
    EXPECT_NE(command("d2", wanted), id) << "keys are a device's own";
    EXPECT_EQ(command("d1", R"({"name":"other","idempotency_key":"once"})"), "");
    EXPECT_EQ(only_reply(last_sent_).status, 409);
    EXPECT_EQ(list_commands(store_, "d1", 10)->size(), 1U);
}

TEST_F(Commands, an_idempotency_key_holds_within_one_turn) {
    api("d1", create_command_topic, R"({"name":"reboot","idempotency_key":"once"})");
    api("d1", create_command_topic, R"({"name":"reboot","idempotency_key":"once"})");
    const auto sent = turn();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(body(sent[0]).at("execution_id"), body(sent[1]).at("execution_id"));
}

TEST_F(Commands, a_bad_request_is_refused) {
    EXPECT_EQ(command("d1", "{"), "");
    EXPECT_EQ(only_reply(last_sent_).status, 400);
    EXPECT_EQ(command("d1", R"({"name":"x","parameters":{"a":")" + std::string(40'000, 'a') + R"("}})"), "");
    EXPECT_EQ(only_reply(last_sent_).status, 413);
    EXPECT_EQ(body(only_reply(last_sent_)).at("code"), value(413));
}

TEST_F(Commands, a_device_has_a_bounded_number_waiting) {
    for (std::size_t i = 0; i < limits_.pending_per_device_max; ++i) {
        ASSERT_NE(command("d1"), "");
    }
    EXPECT_EQ(command("d1"), "");
    EXPECT_EQ(only_reply(last_sent_).status, 429);
    EXPECT_NE(command("d2"), "");
}

TEST_F(Commands, the_history_of_a_device_is_bounded) {
    limits_.commands_kept_max = 3;
    start();
    takes_commands("d1");
    std::vector<std::string> ids;
    for (int i = 0; i < 6; ++i) {
        advance(Seconds(1));
        ids.push_back(command("d1", R"({"name":"reboot","idempotency_key":"k)" + std::to_string(i) + R"("})"));
        answer(ids.back(), R"({"status":"SUCCEEDED"})");
    }
    command("d1");
    EXPECT_EQ(status_of(ids[0]), "(none)");
    EXPECT_EQ(status_of(ids[5]), "SUCCEEDED");
    EXPECT_LE(list_commands(store_, "d1", 100)->size(), 5U);
    EXPECT_FALSE(store_.get("idempotency", "d1/k0")->has_value());
}

TEST_F(Commands, are_listed_newest_first) {
    const std::string first = command("d1");
    advance(Millis(1));
    const std::string second = command("d1");
    const auto listed = list_commands(store_, "d1", 10);
    ASSERT_EQ(listed->size(), 2U);
    EXPECT_EQ(parse(listed->at(0)).at("execution_id"), value(second));
    EXPECT_EQ(parse(listed->at(1)).at("execution_id"), value(first));
    EXPECT_EQ(list_commands(store_, "d1", 1)->size(), 1U);
    EXPECT_TRUE(list_commands(store_, "d", 10)->empty());
}

TEST_F(Commands, answers_to_what_is_not_the_devices_are_refused) {
    const std::string other = command("d2");
    answer(other, R"({"status":"SUCCEEDED"})");
    EXPECT_EQ(refusal(other), "ResourceNotFound");
    answer("nonsense", R"({"status":"SUCCEEDED"})");
    EXPECT_EQ(refusal("nonsense"), "ResourceNotFound");
    EXPECT_EQ(status_of(other), "QUEUED");
}

TEST_F(Commands, bad_answers_are_refused) {
    takes_commands("d1");
    const std::string id = command("d1");
    answer(id, "{");
    EXPECT_EQ(refusal(id), "InvalidJson");
    answer(id, R"({"status":"SUCCEEDED"})");
    answer(id, R"({"status":"FAILED"})");
    EXPECT_EQ(refusal(id), "TerminalStateReached");
}

TEST_F(Commands, one_that_waits_survives_kill_nine) {
    const std::string id = command("d1");
    restart();
    takes_commands("d1", 2);
    last_sent_ = turn();
    EXPECT_TRUE(was_sent(id));
    EXPECT_EQ(steps_of(id), "QUEUED SENT");
}

TEST_F(Commands, one_that_was_committed_as_sent_is_sent_after_kill_nine) {
    takes_commands("d1");
    api("d1", create_command_topic, R"({"name":"reboot"})");
    die_after_commit_and_restart();
    last_sent_ = turn();
    const std::string id(body(only_reply(last_sent_)).at("execution_id").as_string());
    EXPECT_TRUE(was_sent(id));
    EXPECT_EQ(list_commands(store_, "d1", 10)->size(), 1U);
}

TEST_F(Commands, one_without_an_answer_is_sent_again_to_an_online_device_after_a_restart) {
    takes_commands("d1");
    const std::string id = command("d1");
    restart();
    online("d1", 1);
    last_sent_ = turn();
    EXPECT_TRUE(was_sent(id));
    last_sent_ = turn();
    EXPECT_FALSE(was_sent(id));
}

TEST_F(Commands, deadlines_survive_a_restart) {
    const std::string waiting = command("d1", R"({"name":"a","expires_in_s":10})");
    takes_commands("d2");
    const std::string sent = command("d2", R"({"name":"b","expires_in_s":10,"timeout_s":5})");
    restart();
    advance(Seconds(10));
    (void)turn();
    EXPECT_EQ(status_of(waiting), "EXPIRED");
    EXPECT_EQ(status_of(sent), "TIMED_OUT");
    restart();
    EXPECT_TRUE(turn().empty());
}

TEST_F(Commands, a_partition_that_is_revoked_leaves_nothing_behind) {
    const std::string id = command("d1", R"({"name":"a","expires_in_s":10})");
    service_->revoke(partition);
    advance(Seconds(10));
    (void)turn();
    EXPECT_EQ(status_of(id), "QUEUED");
    EXPECT_EQ(counter("muster_shadow_pending_commands "), 0);
}

TEST_F(Commands, a_store_that_cannot_be_read_delays_the_verdict) {
    const std::string id = command("d1", R"({"name":"a","expires_in_s":10})");
    advance(Seconds(10));
    store_.fails = true;
    service_->settle(now_);
    store_.fails = false;
    (void)end_turn();
    EXPECT_EQ(status_of(id), "QUEUED");
    advance(Seconds(5));
    (void)turn();
    EXPECT_EQ(status_of(id), "EXPIRED");
}

TEST_F(Commands, transitions_are_counted) {
    takes_commands("d1");
    answer(command("d1"), R"({"status":"SUCCEEDED"})");
    EXPECT_EQ(counter(R"(muster_shadow_commands_total{status="QUEUED"} )"), 1);
    EXPECT_EQ(counter(R"(muster_shadow_commands_total{status="SENT"} )"), 1);
    EXPECT_EQ(counter(R"(muster_shadow_commands_total{status="SUCCEEDED"} )"), 1);
    EXPECT_EQ(counter(R"(muster_shadow_requests_total{code="201",operation="create_command"} )"), 1);
}

}  // namespace
}  // namespace muster
