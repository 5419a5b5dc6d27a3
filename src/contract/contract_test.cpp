#include <gtest/gtest.h>

#include "contract/connect_detail.h"
#include "contract/downlink.h"
#include "contract/event.h"
#include "contract/identity.h"
#include "contract/incident.h"
#include "contract/json.h"
#include "contract/mqtt_topics.h"
#include "contract/region_counts.h"
#include "contract/status_document.h"

namespace muster {
namespace {

TEST(Identity, accepts_only_the_designs_alphabet_and_length) {
    EXPECT_TRUE(is_valid_device_id("ka-0417:88240c_A.1"));
    EXPECT_FALSE(is_valid_device_id(""));
    EXPECT_FALSE(is_valid_device_id("a/b"));
    EXPECT_FALSE(is_valid_device_id("a+"));
    EXPECT_TRUE(is_valid_device_id(std::string(128, 'x')));
    EXPECT_FALSE(is_valid_device_id(std::string(129, 'x')));
}

TEST(Identity, a_region_is_a_path_without_empty_segments) {
    EXPECT_TRUE(is_valid_region("in/karnataka/ka-04"));
    EXPECT_FALSE(is_valid_region("in//ka"));
    EXPECT_FALSE(is_valid_region("/in"));
    EXPECT_FALSE(is_valid_region("in/"));
    EXPECT_FALSE(is_valid_region("IN"));
    EXPECT_FALSE(is_valid_region("1/2/3/4/5/6/7/8/9"));
}

TEST(EventHeader, what_was_encoded_is_decoded) {
    EventHeader header;
    header.kind = EventKind::disconnect;
    header.qos = 1;
    header.duplicate = true;
    header.cause = Cause::keepalive_timeout;
    header.keep_alive_s = 60;
    header.epoch = 1ULL << 40U;
    header.sequence = 7;
    header.received = from_epoch_ms(1'700'000'000'123);
    header.incarnation = 3;
    header.gateway = "gw-1";
    header.topic = "a/b";
    std::string bytes;
    encode(header, bytes);
    const auto decoded = decode_event_header(bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->kind, header.kind);
    EXPECT_EQ(decoded->cause, header.cause);
    EXPECT_EQ(decoded->epoch, header.epoch);
    EXPECT_EQ(decoded->received, header.received);
    EXPECT_EQ(decoded->gateway, "gw-1");
    EXPECT_EQ(decoded->topic, "a/b");
    EXPECT_TRUE(decoded->duplicate);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode_event_header(std::string_view(bytes).substr(0, size))) << size;
    }
    bytes[1] = 15;
    EXPECT_FALSE(decode_event_header(bytes)) << "an unknown kind is refused";
}

TEST(DownlinkHeader, what_was_encoded_is_decoded) {
    std::string bytes;
    encode(DownlinkHeader{DownlinkKind::reply, 1, 409, 5, 6, "t"}, bytes);
    const auto decoded = decode_downlink_header(bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->status, 409);
    EXPECT_EQ(decoded->correlation, 6U);
    EXPECT_EQ(decoded->topic, "t");
    bytes.pop_back();
    EXPECT_FALSE(decode_downlink_header(bytes));
}

TEST(StatusDocument, survives_json_and_gives_the_same_bytes) {
    StatusDocument document;
    document.id = "d1";
    document.state = PresenceState::offline;
    document.previous = PresenceState::online;
    document.cause = Cause::will;
    document.overlays = static_cast<Overlays>(Overlay::flapping);
    document.since = from_epoch_ms(1'700'000'000'123);
    document.epoch = (1ULL << 40U) + 1;
    document.gateway = "gw \"1\"";
    document.flap_penalty = 1234.5;
    document.attributes.region = "in/karnataka";
    document.attributes.latitude = 12.9;
    document.attributes.longitude = 77.6;
    document.offset = 99;
    const std::string text = to_json(document);
    const auto parsed = parse_status_document(text);
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(to_json(*parsed), text);
    EXPECT_EQ(parsed->cause, Cause::will);
    EXPECT_EQ(parsed->attributes, document.attributes);
}

TEST(StatusDocument, refuses_unknown_words_and_wrong_types) {
    EXPECT_FALSE(parse_status_document(R"({"id":"d","state":"asleep"})"));
    EXPECT_FALSE(parse_status_document(R"({"id":"d","epoch":"x"})"));
    EXPECT_FALSE(parse_status_document(R"({"state":"online"})"));
    EXPECT_FALSE(parse_status_document("[]"));
    EXPECT_FALSE(parse_status_document("{"));
}

TEST(DeviceAttributes, refuses_a_bad_region_and_a_place_off_the_globe) {
    EXPECT_FALSE(parse_device_attributes(R"({"region":"In//x"})"));
    EXPECT_FALSE(parse_device_attributes(R"({"lat":91,"lon":0})"));
    const auto attributes = parse_device_attributes(R"({"region":"de/berlin","heartbeat_timeout_s":5,"other":[1]})");
    ASSERT_TRUE(attributes);
    EXPECT_EQ(attributes->heartbeat_timeout_s, 5U);
    EXPECT_EQ(to_json(*attributes), R"({"region":"de/berlin","heartbeat_timeout_s":5})");
    EXPECT_EQ(to_json(DeviceAttributes{}), "{}");
}

TEST(RegionReport, survives_json) {
    RegionReport report{3, "in/ka", from_epoch_ms(5), {}};
    report.counts.online = 4;
    report.counts.countable = 5;
    report.counts.countable_offline = 1;
    report.counts.latitude_sum = 1.5;
    const auto parsed = parse_region_report(to_json(report));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->counts, report.counts);
    EXPECT_EQ(region_report_key(3, "in/ka"), "3:in/ka");
    EXPECT_DOUBLE_EQ(report.counts.offline_share(), 0.2);
}

TEST(RegionCounts, sleeping_and_maintenance_count_neither_way) {
    StatusDocument document;
    document.state = PresenceState::offline;
    EXPECT_EQ(contribution_of(document).countable_offline, 1);
    document.overlays = static_cast<Overlays>(Overlay::sleeping);
    EXPECT_EQ(contribution_of(document).countable, 0);
    EXPECT_EQ(contribution_of(document).countable_offline, 0);
    EXPECT_EQ(contribution_of(document).offline, 1);
    document.overlays = static_cast<Overlays>(Overlay::maintenance);
    EXPECT_EQ(contribution_of(document).countable, 0);
}

TEST(RegionCounts, a_flapping_device_counts_as_what_its_last_stable_minute_was) {
    StatusDocument document;
    document.state = PresenceState::offline;
    document.overlays = static_cast<Overlays>(Overlay::flapping);
    EXPECT_EQ(contribution_of(document).countable, 1);
    EXPECT_EQ(contribution_of(document).countable_offline, 0);
    document.evidence.steady_offline = true;
    EXPECT_EQ(contribution_of(document).countable_offline, 1);
}

TEST(RegionCounts, unknown_counts_as_there_and_never_seen_does_not_count) {
    StatusDocument document;
    EXPECT_EQ(contribution_of(document).never_seen, 1);
    EXPECT_EQ(contribution_of(document).countable, 0);
    document.state = PresenceState::unknown;
    EXPECT_EQ(contribution_of(document).countable, 1);
    EXPECT_EQ(contribution_of(document).countable_offline, 0);
    EXPECT_EQ(contribution_of(document).total(), 1);
}

TEST(RegionCounts, a_region_has_its_ancestors_and_the_fleet) {
    std::vector<std::string> visited;
    for_each_region_of("in/ka/ka-04", [&](std::string_view region) { visited.emplace_back(region); });
    EXPECT_EQ(visited, (std::vector<std::string>{"", "in", "in/ka", "in/ka/ka-04"}));
    visited.clear();
    for_each_region_of("", [&](std::string_view region) { visited.emplace_back(region); });
    EXPECT_EQ(visited, (std::vector<std::string>{""}));
}

TEST(ConnectDetail, survives_json_and_may_be_absent) {
    const auto parsed = parse_connect_detail(to_json(ConnectDetail{"127.0.0.1:4242", "3.1.1"}));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->address, "127.0.0.1:4242");
    EXPECT_EQ(parsed->protocol, "3.1.1");
    EXPECT_TRUE(parse_connect_detail(""));
    EXPECT_FALSE(parse_connect_detail(R"({"address":1})"));
}

TEST(RegionCounts, positions_add_up_exactly_in_any_order) {
    RegionCounts counts;
    counts += contribution_of({.state = PresenceState::online, .latitude = 12.9716, .longitude = 77.5946});
    counts += contribution_of({.state = PresenceState::online, .latitude = -33.87, .longitude = 0.1});
    counts -= contribution_of({.state = PresenceState::online, .latitude = 12.9716, .longitude = 77.5946});
    counts -= contribution_of({.state = PresenceState::online, .latitude = -33.87, .longitude = 0.1});
    EXPECT_EQ(counts, RegionCounts{});
}

TEST(Incident, survives_json) {
    Incident incident;
    incident.id = "i-1";
    incident.resolved = from_epoch_ms(9);
    incident.open = false;
    incident.timeline.push_back({from_epoch_ms(1), "opened"});
    incident.shared.push_back({"region", "in/ka", 0.93, 0.2});
    incident.scope.push_back({"carrier", "airtel"});
    incident.blast.push_back({from_epoch_ms(1), 40});
    incident.recovery_expected = from_epoch_ms(7);
    incident.cause = CauseKind::carrier_outage;
    incident.confidence = 0.75;
    incident.members_peak = 41;
    const auto parsed = parse_incident(to_json(incident));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, incident);
}

TEST(MqttTopics, are_classified_by_owner) {
    EXPECT_EQ(classify_topic("telemetry/d1").topic_class, TopicClass::telemetry);
    EXPECT_EQ(classify_topic("telemetry/d1").device, "d1");
    EXPECT_EQ(classify_topic("telemetry/d1/x").topic_class, TopicClass::reserved);
    EXPECT_EQ(classify_topic("telemetry/+").device, "");
    EXPECT_EQ(classify_topic("status/d1").topic_class, TopicClass::status);
    EXPECT_EQ(classify_topic("$aws/things/d1/shadow/get").device, "d1");
    EXPECT_EQ(classify_topic("$aws/things/d1").topic_class, TopicClass::reserved);
    EXPECT_EQ(classify_topic("$aws/commands/things/d1/executions/e/response/json").topic_class, TopicClass::request);
    EXPECT_EQ(classify_topic("$SYS/x").topic_class, TopicClass::reserved);
    EXPECT_EQ(classify_topic("home/kitchen").topic_class, TopicClass::ordinary);
    EXPECT_EQ(command_topic("d", "e", "request/json"), "$aws/commands/things/d/executions/e/request/json");
}

TEST(Json, strings_are_escaped_and_bad_utf8_is_replaced) {
    std::string out;
    json::append_string(out, "a\"\\\n\xff\xc3\xa9");
    EXPECT_EQ(out, "\"a\\\"\\\\\\u000a\\ufffd\xc3\xa9\"");
}

TEST(Json, utf8_is_told_from_other_encodings) {
    EXPECT_TRUE(json::is_utf8("plain, caf\xc3\xa9, \xf0\x9f\x9a\x80"));
    EXPECT_FALSE(json::is_utf8("caf\xe9"));
    EXPECT_FALSE(json::is_utf8("\xed\xa0\x80")) << "a lone surrogate";
}

TEST(Json, numbers_are_shortest_and_never_nan) {
    std::string out;
    json::append_number(out, 0.1);
    out.push_back(' ');
    json::append_number(out, 3.0);
    out.push_back(' ');
    json::append_number(out, 0.0 / 0.0);
    EXPECT_EQ(out, "0.1 3 null");
}

TEST(Json, deep_nesting_and_trailing_bytes_are_refused) {
    EXPECT_FALSE(json::parse(std::string(100, '[') + std::string(100, ']')));
    EXPECT_FALSE(json::parse("{} x"));
}

}  // namespace
}  // namespace muster
