#include "shadow/command.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace muster {
namespace {

using boost::json::parse;

constexpr Timestamp start = from_epoch_ms(1'700'000'000'000);

Command reboot() {
    auto request = parse_command_request(R"({"name":"reboot","parameters":{"delay_s":1},"created_by":"operator"})");
    return make_command("e1", "d1", std::move(*request), start);
}

Command sent_reboot() {
    Command command = reboot();
    mark_sent(command, start + Millis(10));
    return command;
}

std::string answer(Command& command, std::string_view payload, Timestamp now = start + Seconds(1)) {
    auto parsed = parse_command_answer(payload);
    if (!parsed) {
        return std::string(parsed.error().code);
    }
    const auto applied = apply_answer(command, std::move(*parsed), now);
    return applied ? "accepted" : std::string(applied.error().code);
}

std::vector<std::string_view> statuses(const Command& command) {
    std::vector<std::string_view> names;
    for (const CommandStep& step : command.steps) {
        names.push_back(name_of(step.status));
    }
    return names;
}

using Names = std::vector<std::string_view>;

TEST(Command, every_step_is_stamped) {
    Command command = sent_reboot();
    EXPECT_EQ(answer(command, R"({"status":"IN_PROGRESS"})", start + Seconds(2)), "accepted");
    EXPECT_EQ(answer(command, R"({"status":"SUCCEEDED"})", start + Seconds(3)), "accepted");
    EXPECT_EQ(statuses(command), (Names{"QUEUED", "SENT", "IN_PROGRESS", "SUCCEEDED"}));
    EXPECT_EQ(command.steps[2].time, start + Seconds(2));
    EXPECT_EQ(command.steps[3].time, start + Seconds(3));
}

TEST(Command, handing_it_over_again_leaves_no_second_step) {
    Command command = sent_reboot();
    mark_sent(command, start + Seconds(9));
    EXPECT_EQ(statuses(command), (Names{"QUEUED", "SENT"}));
    EXPECT_EQ(command.steps[1].time, start + Millis(10));
}

TEST(Command, the_devices_result_and_reason_are_kept) {
    Command command = sent_reboot();
    EXPECT_EQ(answer(command, R"({"status":"FAILED","statusReason":{"reasonCode":"DEVICE_TOO_BUSY",
        "reasonDescription":"later"},"result":{"tries":3}})"),
              "accepted");
    EXPECT_EQ(command.reason->code, "DEVICE_TOO_BUSY");
    EXPECT_EQ(command.reason->description, "later");
    EXPECT_EQ(*command.result, parse(R"({"tries":3})").get_object());
}

TEST(Command, a_final_status_stays_and_may_be_repeated) {
    Command command = sent_reboot();
    EXPECT_EQ(answer(command, R"({"status":"SUCCEEDED"})"), "accepted");
    EXPECT_EQ(answer(command, R"({"status":"SUCCEEDED"})"), "accepted") << "a QoS 1 message may come twice";
    EXPECT_EQ(answer(command, R"({"status":"FAILED"})"), "TerminalStateReached");
    EXPECT_EQ(statuses(command), (Names{"QUEUED", "SENT", "SUCCEEDED"}));
}

TEST(Command, an_expired_one_accepts_no_answer) {
    Command command = reboot();
    mark_expired(command, start + Seconds(300));
    EXPECT_EQ(answer(command, R"({"status":"SUCCEEDED"})"), "TerminalStateReached");
    EXPECT_EQ(command.reason->code, "$EXPIRED");
}

TEST(Command, a_late_answer_overrules_our_time_out) {
    Command command = sent_reboot();
    mark_timed_out(command, start + Seconds(60));
    EXPECT_EQ(command.reason->code, "$NO_RESPONSE_FROM_DEVICE");
    EXPECT_EQ(answer(command, R"({"status":"IN_PROGRESS"})"), "InvalidStateTransition");
    EXPECT_EQ(answer(command, R"({"status":"SUCCEEDED"})"), "accepted");
    EXPECT_EQ(statuses(command), (Names{"QUEUED", "SENT", "TIMED_OUT", "SUCCEEDED"}));
    EXPECT_FALSE(command.reason);
}

TEST(Command, a_time_out_that_the_device_declares_is_final) {
    Command command = sent_reboot();
    EXPECT_EQ(answer(command, R"({"status":"TIMED_OUT","statusReason":{"reasonCode":"NO_POWER"}})"), "accepted");
    EXPECT_EQ(answer(command, R"({"status":"SUCCEEDED"})"), "TerminalStateReached");
}

TEST(Command, progress_reports_do_not_grow_it_without_bound) {
    Command command = sent_reboot();
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(answer(command, R"({"status":"IN_PROGRESS"})", start + Seconds(i)), "accepted");
    }
    EXPECT_EQ(command.steps.size(), command_steps_max);
    EXPECT_EQ(command.steps.back().time, start + Seconds(99));
}

TEST(Command, bad_answers_are_refused_with_awss_codes) {
    Command command = sent_reboot();
    EXPECT_EQ(answer(command, "{"), "InvalidJson");
    EXPECT_EQ(answer(command, "{}"), "InvalidRequest");
    EXPECT_EQ(answer(command, R"({"status":"SENT"})"), "InvalidRequest");
    EXPECT_EQ(answer(command, R"({"status":"EXPIRED"})"), "InvalidRequest");
    EXPECT_EQ(answer(command, R"({"status":"FAILED","statusReason":{"reasonCode":"$x"}})"), "InvalidRequest");
    EXPECT_EQ(answer(command, R"({"status":"FAILED","statusReason":5})"), "InvalidRequest");
    EXPECT_EQ(answer(command, R"({"status":"FAILED","result":[]})"), "InvalidRequest");
    EXPECT_EQ(answer(command, std::string(command_answer_bytes_max + 1, ' ')), "InvalidRequest");
    EXPECT_EQ(command.status(), CommandStatus::sent);
}

TEST(Command, survives_json_and_gives_the_same_bytes) {
    Command command = sent_reboot();
    EXPECT_EQ(answer(command, R"({"status":"REJECTED","statusReason":{"reasonCode":"A"},"result":{"x":1}})"),
              "accepted");
    const auto read = parse_command(to_json(command));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(to_json(*read), to_json(command));
    EXPECT_EQ(read->status(), CommandStatus::rejected);
    EXPECT_EQ(read->expires, start + Seconds(300));
    EXPECT_FALSE(parse_command("{}"));
    EXPECT_FALSE(parse_command(R"({"steps":[{"status":"DANCING","time":1}]})"));
}

TEST(Command, the_device_gets_its_name_parameters_and_expiry) {
    EXPECT_EQ(parse(command_payload(reboot())),
              parse(R"({"executionId":"e1","command":"reboot","parameters":{"delay_s":1},"expires":1700000300000})"));
}

TEST(Command, responses_are_worded_as_awss) {
    EXPECT_EQ(answer_accepted("e1"), R"({"executionId":"e1"})");
    EXPECT_EQ(answer_rejected("e1", {"InvalidJson", "no"}),
              R"({"error":"InvalidJson","errorMessage":"no","executionId":"e1"})");
}

TEST(CommandRequest, has_defaults) {
    const auto request = parse_command_request(R"({"name":"reboot"})");
    ASSERT_TRUE(request);
    EXPECT_EQ(request->expires_in, command_expires_default);
    EXPECT_EQ(request->timeout, command_timeout_default);
    EXPECT_TRUE(request->parameters.empty());
}

TEST(CommandRequest, refuses_what_is_outside_its_limits) {
    EXPECT_FALSE(parse_command_request("{"));
    EXPECT_FALSE(parse_command_request("{}"));
    EXPECT_FALSE(parse_command_request(R"({"name":""})"));
    EXPECT_FALSE(parse_command_request(R"({"name":"a\nb"})"));
    EXPECT_FALSE(parse_command_request(R"({"name":5})"));
    EXPECT_FALSE(parse_command_request(R"({"name":"x","parameters":[]})"));
    EXPECT_FALSE(parse_command_request(R"({"name":"x","expires_in_s":0})"));
    EXPECT_FALSE(parse_command_request(R"({"name":"x","expires_in_s":1.5})"));
    EXPECT_FALSE(parse_command_request(R"({"name":"x","expires_in_s":9999999999})"));
    EXPECT_FALSE(parse_command_request(R"({"name":"x","timeout_s":-1})"));
    EXPECT_FALSE(parse_command_request(R"({"name":"x","idempotency_key":")" + std::string(65, 'k') + R"("})"));
    const auto large =
        parse_command_request(R"({"name":"x","parameters":{"a":")" + std::string(40'000, 'a') + R"("}})");
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code, ErrorCode::too_large);
}

TEST(CommandRequest, the_same_name_and_parameters_ask_the_same) {
    const auto one = parse_command_request(R"({"name":"x","parameters":{"a":1},"idempotency_key":"k"})");
    const auto same = parse_command_request(R"({"name":"x","parameters":{"a":1},"expires_in_s":5})");
    const auto other = parse_command_request(R"({"name":"x","parameters":{"a":2}})");
    EXPECT_TRUE(asks_the_same(*one, *same));
    EXPECT_FALSE(asks_the_same(*one, *other));
}

}  // namespace
}  // namespace muster
