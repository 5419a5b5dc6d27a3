#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/telemetry_json.h"
#include "processor/fold_scenario.h"

namespace muster {
namespace {

using Metrics = std::vector<std::pair<std::string, double>>;

Metrics copied(std::span<const std::pair<std::string_view, double>> metrics) {
    Metrics result;
    for (const auto& [name, value] : metrics) {
        result.emplace_back(name, value);
    }
    return result;
}

TEST(TelemetryJson, reads_an_object_of_numbers_with_its_time) {
    TelemetryJson reader;
    const auto reading = reader.read(R"({"ts":1700000000123,"battery":80.5,"rssi":-71,"big":18446744073709551615})");
    ASSERT_TRUE(reading);
    ASSERT_EQ(reading->samples.size(), 1U);
    EXPECT_EQ(reading->samples[0].time_ms, 1'700'000'000'123);
    EXPECT_EQ(copied(reading->samples[0].metrics),
              (Metrics{{"battery", 80.5}, {"rssi", -71}, {"big", 18446744073709551615.0}}));
    EXPECT_EQ(reading->ignored, 0U);
}

TEST(TelemetryJson, reads_an_array_of_objects) {
    TelemetryJson reader;
    const auto reading = reader.read(R"([{"ts":1,"a":1},{"ts":2,"a":2,"b":3},{}])");
    ASSERT_TRUE(reading);
    ASSERT_EQ(reading->samples.size(), 3U);
    EXPECT_EQ(copied(reading->samples[1].metrics), (Metrics{{"a", 2}, {"b", 3}}));
    EXPECT_TRUE(reading->samples[2].metrics.empty());
}

TEST(TelemetryJson, ignores_and_counts_what_is_no_number) {
    TelemetryJson reader;
    const auto reading = reader.read(R"({"a":"x","b":{"c":1},"d":[1],"e":true,"f":null,"":1,"g":1,"ts":"now"})");
    ASSERT_TRUE(reading);
    EXPECT_EQ(copied(reading->samples[0].metrics), (Metrics{{"g", 1}}));
    EXPECT_EQ(reading->ignored, 7U);
}

TEST(TelemetryJson, bounds_metrics_and_names) {
    std::string json = "{\"" + std::string(telemetry_name_bytes_max + 1, 'n') + "\":1";
    for (std::size_t i = 0; i < telemetry_metrics_max + 5; ++i) {
        json += ",\"m" + std::to_string(i) + "\":1";
    }
    TelemetryJson reader;
    const auto reading = reader.read(json + "}");
    ASSERT_TRUE(reading);
    EXPECT_EQ(reading->samples[0].metrics.size(), telemetry_metrics_max);
    EXPECT_EQ(reading->over_limit, 5U);
    EXPECT_EQ(reading->ignored, 1U);
}

TEST(TelemetryJson, refuses_everything_else_and_reads_on) {
    TelemetryJson reader;
    for (const std::string& payload :
         {std::string(), std::string("1"), std::string("{"), std::string("{} x"), std::string("[1]"),
          std::string(R"({"a":NaN})"), std::string(R"({"a":1e999})"), std::string("\xff{}"),
          std::string("{\"a\":1}\0", 8), std::string(100, '[') + std::string(100, ']')}) {
        EXPECT_FALSE(reader.read(payload)) << payload;
    }
    std::string many = "[";
    for (std::size_t i = 0; i <= telemetry_samples_max; ++i) {
        many += i == 0 ? "{}" : ",{}";
    }
    EXPECT_FALSE(reader.read(many + "]"));
    EXPECT_TRUE(reader.read(R"({"a":1})"));
}

struct Telemetry : testing::Test {
    FoldScenario fleet;
    FoldScenario::Gateway a{"gw-a"};
    Telemetry() { fleet.connect(a, "d", 1); }
};

TEST_F(Telemetry, becomes_a_sample_and_a_touch_with_the_newest_values) {
    fleet.telemetry(a, "d", 1, R"([{"ts":1699999990000,"t":1},{"ts":1699999999000,"t":3},{"ts":1699999995000,"t":2}])");
    ASSERT_EQ(fleet.out.samples.size(), 3U);
    EXPECT_EQ(fleet.out.samples[0].device, "d");
    EXPECT_EQ(to_epoch_ms(fleet.out.samples[0].time), 1'699'999'990'000);
    ASSERT_EQ(fleet.out.touches.size(), 1U);
    EXPECT_EQ(to_epoch_ms(fleet.out.touches[0].telemetry_time), 1'699'999'999'000);
    EXPECT_EQ(copied(fleet.out.touches[0].metrics), (Metrics{{"t", 3}}));
    EXPECT_EQ(fleet.out.touches[0].last_seen, a.now);
}

TEST_F(Telemetry, without_a_time_has_that_of_its_receipt) {
    fleet.telemetry(a, "d", 1, R"({"t":1})");
    EXPECT_EQ(fleet.out.samples.at(0).time, a.now);
}

TEST_F(Telemetry, with_an_absurd_time_has_that_of_its_receipt) {
    fleet.telemetry(a, "d", 1, R"([{"ts":1,"t":1},{"ts":1700001000000,"t":1}])");
    EXPECT_EQ(fleet.out.samples.at(0).time, a.now);
    EXPECT_EQ(fleet.out.samples.at(1).time, a.now);
    EXPECT_EQ(fleet.out.refused(Refusal::time_clamped), 2U);
}

TEST_F(Telemetry, that_cannot_be_read_is_counted_and_still_a_sign_of_life) {
    a.now += Seconds(5);
    fleet.telemetry(a, "d", 1, "no json");
    EXPECT_EQ(fleet.out.refused(Refusal::bad_telemetry), 1U);
    EXPECT_EQ(fleet.document("d").last_seen, a.now);
    EXPECT_TRUE(fleet.out.samples.empty());
}

TEST_F(Telemetry, a_record_that_cannot_be_read_costs_no_neighbour) {
    fleet.fold.apply("garbage", "d", "x", 1, fleet.out);
    EventHeader header;
    header.gateway = "gw-a";
    header.incarnation = a.incarnation;
    header.received = a.now;
    header.epoch = 2;
    fleet.fold.apply(EventRecord{header, "not/an id", "{}", 2}, fleet.out);
    header.epoch = 0;
    fleet.fold.apply(EventRecord{header, "d", "{}", 3}, fleet.out);
    header.kind = EventKind::publish;
    fleet.fold.apply(EventRecord{header, "d", "{}", 4}, fleet.out);
    header.kind = EventKind::status;
    header.epoch = 1;
    fleet.fold.apply(EventRecord{header, "d", "half awake", 5}, fleet.out);
    fleet.fold.apply(EventRecord{header, "d", R"({"status":"ONLINE","region":"Not A Region"})", 6}, fleet.out);
    header.kind = EventKind::attributes;
    fleet.fold.apply(EventRecord{header, "d", "[]", 7}, fleet.out);
    header.gateway = {};
    header.kind = EventKind::tick;
    fleet.fold.apply(EventRecord{header, "", "", 8}, fleet.out);
    for (const auto& [why, count] : std::vector<std::pair<Refusal, std::uint64_t>>{{Refusal::bad_header, 2},
                                                                                   {Refusal::bad_key, 1},
                                                                                   {Refusal::bad_epoch, 1},
                                                                                   {Refusal::bad_kind, 1},
                                                                                   {Refusal::bad_status, 1},
                                                                                   {Refusal::bad_attributes, 2}}) {
        EXPECT_EQ(fleet.out.refused(why), count) << name_of(why);
    }
    header.gateway = "gw-a";
    header.kind = EventKind::telemetry;
    fleet.fold.apply(EventRecord{header, "d", R"({"t":1})", 9}, fleet.out);
    EXPECT_EQ(fleet.out.samples.size(), 1U);
    EXPECT_EQ(fleet.state("d"), PresenceState::online);
}

}  // namespace
}  // namespace muster
