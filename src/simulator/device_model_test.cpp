#include "simulator/device_model.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/json.h"
#include "contract/mqtt_topics.h"
#include "contract/status_document.h"

namespace muster {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto start = from_epoch_ms(1'700'000'000'000);

class Device : public testing::Test {
 protected:
    static PlannedDevice planned(std::uint8_t qos) {
        Scenario scenario;
        scenario.devices = 14;
        auto device = make_plan(scenario).devices[0];
        device.qos = qos;
        device.telemetry_interval = Millis(30'000);
        return device;
    }

    DeviceReaction command(std::string_view execution, std::string_view payload) {
        return model_.on_message(command_topic(plan_.id, execution, "request/json"), payload);
    }
    DeviceReaction delta(std::string_view state) {
        return model_.on_message(shadow_topic(plan_.id, "update/delta"),
                                 fmt::format(R"({{"version":3,"state":{}}})", state));
    }
    std::string response_topic(std::string_view execution) const {
        return command_topic(plan_.id, execution, "response/json");
    }
    DeviceMessage answer(std::string_view execution, std::string_view status) const {
        return {response_topic(execution), fmt::format(R"({{"status":"{}"}})", status), 1};
    }
    DeviceMessage report(std::string_view reported) const {
        return {shadow_topic(plan_.id, "update"), fmt::format(R"({{"state":{{"reported":{}}}}})", reported), 1};
    }
    DeviceMessage get() const { return {shadow_topic(plan_.id, "get"), "", 1}; }

    const PlannedDevice plan_ = planned(0);
    DeviceModel model_{plan_};
};

TEST_F(Device, telemetry_is_an_object_of_plausible_numbers) {
    for (int i = 0; i < 1000; ++i) {
        const auto message = model_.telemetry(start + i * Millis(60'000));
        EXPECT_EQ(message.topic, "telemetry/" + plan_.id);
        const auto object = json::parse_object(message.payload).value();
        ASSERT_EQ(object.size(), 4U);
        EXPECT_THAT(object.at("battery").to_number<double>(), testing::AllOf(testing::Ge(10), testing::Le(100)));
        EXPECT_THAT(object.at("temperature").to_number<double>(), testing::AllOf(testing::Ge(0), testing::Le(50)));
        EXPECT_THAT(object.at("cpu").to_number<double>(), testing::AllOf(testing::Gt(0), testing::Le(100)));
        EXPECT_THAT(object.at("signal").to_number<double>(), testing::AllOf(testing::Ge(-120), testing::Le(-40)));
    }
}

TEST_F(Device, the_battery_drains_and_is_charged_again) {
    double lowest = 100;
    double after_lowest = 0;
    for (int hour = 0; hour < 200; ++hour) {
        const auto object = json::parse_object(model_.telemetry(start + hour * Millis(3'600'000)).payload).value();
        const double battery = object.at("battery").to_number<double>();
        after_lowest = battery < lowest ? 0 : std::max(after_lowest, battery);
        lowest = std::min(lowest, battery);
    }
    EXPECT_LT(lowest, 20);
    EXPECT_GT(after_lowest, 90);
}

TEST_F(Device, the_same_plan_measures_the_same) {
    DeviceModel twin(plan_);
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(model_.telemetry(start + Millis(i)), twin.telemetry(start + Millis(i)));
    }
}

TEST_F(Device, telemetry_that_may_be_delivered_twice_carries_its_time) {
    const auto plan = planned(1);
    DeviceModel model(plan);
    const auto message = model.telemetry(start);
    EXPECT_EQ(message.qos, 1);
    EXPECT_THAT(message.payload, testing::StartsWith(R"({"ts":1700000000000,)"));
}

TEST_F(Device, birth_declares_the_attributes) {
    const auto birth = model_.birth();
    EXPECT_EQ(birth.topic, "status/" + plan_.id);
    EXPECT_THAT(birth.payload, HasSubstr(R"("status":"ONLINE")"));
    const auto attributes = parse_device_attributes(birth.payload);
    ASSERT_TRUE(attributes);
    EXPECT_EQ(attributes->region, cohort_of(plan_).region);
    EXPECT_EQ(attributes->model, model_of(plan_));
    EXPECT_EQ(attributes->firmware, firmware_of(plan_));
    EXPECT_EQ(attributes->carrier, carrier_of(plan_));
    EXPECT_NEAR(attributes->latitude, plan_.latitude, 1e-3);
}

TEST_F(Device, the_first_connect_reports_the_settings_and_asks_for_the_shadow_later_ones_only_ask) {
    const auto first = model_.on_subscribed();
    ASSERT_EQ(first.size(), 2U);
    EXPECT_EQ(first[0],
              report(fmt::format(R"({{"reportInterval":30,"firmware":"{}","logLevel":"info"}})", firmware_of(plan_))));
    EXPECT_EQ(first[1], get());
    EXPECT_THAT(model_.on_subscribed(), ElementsAre(get()));
}

TEST_F(Device, a_delta_is_applied_and_reported_back) {
    const auto reaction = delta(R"({"reportInterval":5,"logLevel":"debug","led":{"colour":"red"}})");
    EXPECT_THAT(reaction.messages,
                ElementsAre(report(R"({"reportInterval":5,"logLevel":"debug","led":{"colour":"red"}})")));
    EXPECT_EQ(model_.telemetry_interval(), Millis(5'000));
}

TEST_F(Device, what_cannot_be_obeyed_is_not_reported) {
    EXPECT_THAT(delta(R"({"reportInterval":0,"logLevel":"debug"})").messages,
                ElementsAre(report(R"({"logLevel":"debug"})")));
    EXPECT_THAT(delta(R"({"reportInterval":"often"})").messages, IsEmpty());
    EXPECT_EQ(model_.telemetry_interval(), Millis(30'000));
}

TEST_F(Device, desired_state_set_while_it_was_away_is_found_with_get) {
    const auto reaction = model_.on_message(
        shadow_topic(plan_.id, "get/accepted"),
        R"({"state":{"desired":{"reportInterval":7},"reported":{},"delta":{"reportInterval":7}},"version":9})");
    EXPECT_THAT(reaction.messages, ElementsAre(report(R"({"reportInterval":7})")));
    EXPECT_EQ(model_.telemetry_interval(), Millis(7'000));
}

TEST_F(Device, a_shadow_without_differences_asks_for_nothing) {
    const auto reaction = model_.on_message(shadow_topic(plan_.id, "get/accepted"),
                                            R"({"state":{"reported":{"reportInterval":30}},"version":9})");
    EXPECT_THAT(reaction.messages, IsEmpty());
}

TEST_F(Device, a_new_firmware_is_declared_in_the_next_birth) {
    (void)delta(R"({"firmware":"9.9.9"})");
    EXPECT_THAT(model_.birth().payload, HasSubstr(R"("firmware":"9.9.9")"));
}

TEST_F(Device, reboot_answers_in_progress_goes_and_answers_succeeded_when_back) {
    (void)model_.on_subscribed();
    const auto reaction = command("e1", R"({"executionId":"e1","command":"reboot","parameters":{}})");
    EXPECT_TRUE(reaction.reboot);
    EXPECT_THAT(reaction.messages, ElementsAre(answer("e1", "IN_PROGRESS")));
    model_.restart();
    const auto back = model_.on_subscribed();
    EXPECT_THAT(back, ElementsAre(testing::_, answer("e1", "SUCCEEDED"), get()));
}

TEST_F(Device, a_reboot_that_has_not_happened_yet_is_not_reported_done) {
    (void)model_.on_subscribed();
    (void)command("e1", R"({"command":"reboot"})");
    EXPECT_THAT(model_.on_subscribed(), ElementsAre(get()));
}

TEST_F(Device, a_reboot_delivered_again_after_it_was_done_is_answered_and_not_repeated) {
    (void)command("e1", R"({"command":"reboot"})");
    model_.restart();
    (void)model_.on_subscribed();
    const auto again = command("e1", R"({"command":"reboot"})");
    EXPECT_FALSE(again.reboot);
    EXPECT_THAT(again.messages, ElementsAre(answer("e1", "SUCCEEDED")));
}

TEST_F(Device, a_second_reboot_during_the_first_is_rejected) {
    (void)command("e1", R"({"command":"reboot"})");
    const auto second = command("e2", R"({"command":"reboot"})");
    EXPECT_FALSE(second.reboot);
    EXPECT_THAT(second.messages, ElementsAre(Field(&DeviceMessage::payload, HasSubstr("BUSY"))));
}

TEST_F(Device, set_config_is_applied_reported_and_succeeds) {
    const auto reaction = command("e2", R"({"command":"set-config","parameters":{"reportInterval":15}})");
    EXPECT_THAT(reaction.messages, ElementsAre(report(R"({"reportInterval":15})"), answer("e2", "SUCCEEDED")));
    EXPECT_EQ(model_.telemetry_interval(), Millis(15'000));
}

TEST_F(Device, set_config_with_one_wrong_parameter_changes_nothing) {
    const auto reaction =
        command("e3", R"({"command":"set-config","parameters":{"logLevel":"loud","reportInterval":15}})");
    EXPECT_THAT(
        reaction.messages,
        ElementsAre(DeviceMessage{
            response_topic("e3"),
            R"({"status":"REJECTED","statusReason":{"reasonCode":"INVALID_PARAMETERS","reasonDescription":"logLevel must be trace, debug, info, warn or error"}})",
            1}));
    EXPECT_EQ(model_.telemetry_interval(), Millis(30'000));
}

TEST_F(Device, an_unknown_command_and_no_command_are_rejected_with_a_reason) {
    EXPECT_THAT(command("e4", R"({"command":"self-destruct"})").messages,
                ElementsAre(Field(&DeviceMessage::payload, HasSubstr("UNSUPPORTED_COMMAND"))));
    EXPECT_THAT(command("e5", "reboot!").messages, ElementsAre(Field(&DeviceMessage::payload, HasSubstr("MALFORMED"))));
}

TEST_F(Device, other_messages_are_ignored) {
    EXPECT_THAT(model_.on_message(shadow_topic(plan_.id, "update/delta"), "not json").messages, IsEmpty());
    EXPECT_THAT(model_.on_message(shadow_topic(plan_.id, "update/delta"), R"({"state":7})").messages, IsEmpty());
    EXPECT_THAT(model_.on_message("telemetry/somebody", "{}").messages, IsEmpty());
}

}  // namespace
}  // namespace muster
