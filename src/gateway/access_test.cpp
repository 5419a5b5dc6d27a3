#include "gateway/access.h"

#include <gtest/gtest.h>

#include "contract/identity.h"
#include "gateway/admission.h"

namespace muster {
namespace {

bool may(Role role, std::string_view topic) {
    return may_publish(role, role == Role::device ? "dev-1" : "", classify_topic(topic));
}

TEST(Access, a_device_publishes_to_its_own_topics_and_ordinary_ones) {
    for (const char* topic : {"telemetry/dev-1", "status/dev-1", "$aws/things/dev-1/shadow/get", "news/a", "a"}) {
        EXPECT_TRUE(may(Role::device, topic)) << topic;
    }
    for (const char* topic : {"telemetry/dev-2", "status/dev-2", "$aws/things/dev-2/shadow/get", "telemetry", "$SYS/x",
                              "$aws/events/presence/connected/dev-1", "telemetry/dev-1/x"}) {
        EXPECT_FALSE(may(Role::device, topic)) << topic;
    }
}

TEST(Access, guests_and_operators_publish_to_ordinary_topics_only) {
    for (const Role role : {Role::guest, Role::fleet_operator}) {
        EXPECT_TRUE(may(role, "news/a"));
        EXPECT_FALSE(may(role, "telemetry/dev-1"));
        EXPECT_FALSE(may(role, "$aws/things/dev-1/shadow/get"));
    }
}

TEST(Access, no_filter_of_a_device_matches_what_belongs_to_another) {
    for (const char* filter : {"#", "+", "+/dev-2", "telemetry/+", "telemetry/#", "status/+",
                               "$aws/things/+/shadow/get", "$aws/#", "$share/g/telemetry/dev-2"}) {
        EXPECT_FALSE(may_subscribe(Role::device, "dev-1", filter)) << filter;
        EXPECT_FALSE(may_subscribe(Role::guest, "", filter)) << filter;
        EXPECT_TRUE(may_subscribe(Role::fleet_operator, "", filter)) << filter;
    }
    for (const char* filter : {"telemetry/dev-1", "$aws/things/dev-1/#", "$aws/things/dev-1/+/get", "news/#"}) {
        EXPECT_TRUE(may_subscribe(Role::device, "dev-1", filter)) << filter;
    }
}

class AdmissionRules : public ::testing::Test {
 protected:
    AdmissionRules() {
        options.is_operator = [](std::string_view, std::string_view password) { return password == "secret"; };
        connect.client_id = "dev-1";
    }
    GatewayOptions options;
    mqtt::Connect connect;
};

TEST_F(AdmissionRules, a_client_without_credentials_is_the_device_of_its_client_id) {
    const auto admission = admit(connect, options);
    ASSERT_TRUE(admission);
    EXPECT_EQ(admission->role, Role::device);
    EXPECT_EQ(admission->key, "dev-1");
}

TEST_F(AdmissionRules, a_client_without_a_name_is_a_guest_with_a_random_one) {
    connect.client_id = "";
    const auto one = admit(connect, options);
    const auto two = admit(connect, options);
    ASSERT_TRUE(one && two);
    EXPECT_EQ(one->role, Role::guest);
    EXPECT_NE(one->key, two->key);
    EXPECT_FALSE(is_valid_device_id(one->key));
    connect.clean_start = false;
    EXPECT_EQ(admit(connect, options).error().code, mqtt::ReasonCode::client_identifier_not_valid);
}

TEST_F(AdmissionRules, an_operator_needs_its_password_and_has_a_name_of_its_own) {
    connect.user_name = "operator";
    connect.password = "guess";
    EXPECT_EQ(admit(connect, options).error().code, mqtt::ReasonCode::bad_user_name_or_password);
    connect.password = "secret";
    const auto admission = admit(connect, options);
    ASSERT_TRUE(admission);
    EXPECT_EQ(admission->role, Role::fleet_operator);
    EXPECT_NE(admission->key, "dev-1");
}

TEST_F(AdmissionRules, without_a_check_nobody_is_an_operator) {
    options.is_operator = nullptr;
    connect.user_name = "operator";
    EXPECT_FALSE(admit(connect, options));
}

TEST_F(AdmissionRules, a_5_0_client_without_a_name_is_given_one_under_which_it_may_come_back) {
    connect.version = mqtt::ProtocolVersion::v5;
    connect.client_id = "";
    connect.clean_start = false;
    const auto admission = admit(connect, options);
    ASSERT_TRUE(admission);
    EXPECT_EQ(admission->assigned_client_id, admission->key);
    connect.client_id = admission->assigned_client_id;
    EXPECT_EQ(admit(connect, options)->role, Role::guest);
    EXPECT_EQ(admit(connect, options)->key, admission->key);
}

TEST_F(AdmissionRules, session_expiry_and_keep_alive_are_cut_to_the_limits) {
    options.limits.session_expiry_s_max = 100;
    options.limits.keep_alive_s_max = 60;
    connect.clean_start = false;
    EXPECT_EQ(admit(connect, options)->attach.session_expiry_s, 100U);
    EXPECT_EQ(admit(connect, options)->keep_alive_s, 0);  // 3.1.1 could not be told
    connect.version = mqtt::ProtocolVersion::v5;
    EXPECT_EQ(admit(connect, options)->attach.session_expiry_s, 0U);
    EXPECT_EQ(admit(connect, options)->keep_alive_s, 60);
    std::string block;
    mqtt::PropertyWriter(block).number(mqtt::PropertyId::session_expiry, mqtt::session_never_expires);
    connect.properties = mqtt::Properties(block);
    const auto admission = admit(connect, options);
    EXPECT_EQ(admission->attach.session_expiry_s, 100U);
    std::string told;
    write_connack_properties(*admission, options.limits, told);
    EXPECT_EQ(mqtt::Properties(told).number(mqtt::PropertyId::session_expiry), 100U);
    EXPECT_EQ(mqtt::Properties(told).number(mqtt::PropertyId::server_keep_alive), 60U);
}

TEST_F(AdmissionRules, the_connect_detail_escapes_what_it_holds) {
    Admission admission;
    admission.user = "a\"b";
    std::string detail;
    write_connect_detail(admission, "127.0.0.1:1", detail);
    EXPECT_EQ(detail, R"({"address":"127.0.0.1:1","protocol":"3.1.1","clean":true,"user":"a\"b"})");
}

}  // namespace
}  // namespace muster
