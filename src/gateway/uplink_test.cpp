#include "gateway/uplink.h"

#include <gtest/gtest.h>

#include "gateway/fake_bus_test.h"

namespace muster {
namespace {

class UplinkTest : public ::testing::Test {
 protected:
    UplinkTest() {
        limits.bus_queue_bytes_max = 4000;
        topic = *bus.open_topic({.name = "muster.events"});
        uplink = std::make_unique<Uplink>(
            bus.producer({.name = "test", .queue_bytes_max = limits.bus_queue_bytes_max, .on_deliveries_ready = [] {}}),
            limits, tally);
        bus.hold_back();
    }
    UplinkRecord record(std::string_view key, std::string_view value = {}) const {
        UplinkRecord made{.topic = topic, .key = key, .value = value, .header = {}};
        made.header.gateway = "gw";
        return made;
    }
    std::vector<std::string> sent() const {
        std::vector<std::string> keys;
        for (const auto& stored : bus.sent("muster.events")) {
            keys.push_back(stored.key);
        }
        return keys;
    }

    FakeBus bus;
    GatewayLimits limits;
    Tally tally;
    TopicId topic = 0;
    std::unique_ptr<Uplink> uplink;
};

TEST_F(UplinkTest, pressure_grows_as_the_way_fills) {
    const std::string value(900, 'x');
    EXPECT_EQ(uplink->pressure(), Uplink::Pressure::none);
    EXPECT_TRUE(uplink->send(record("a", value)));
    EXPECT_TRUE(uplink->send(record("b", value)));
    uplink->flush();
    EXPECT_EQ(uplink->pressure(), Uplink::Pressure::slow);
    EXPECT_TRUE(uplink->send(record("c", value)));
    uplink->flush();
    EXPECT_EQ(uplink->pressure(), Uplink::Pressure::stop);
    EXPECT_FALSE(uplink->send(record("d", value)));
    bus.make_durable();
    uplink->flush();
    EXPECT_EQ(uplink->pressure(), Uplink::Pressure::none);
}

TEST_F(UplinkTest, control_records_are_kept_and_go_first_in_their_order) {
    const std::string value(3700, 'x');
    EXPECT_TRUE(uplink->send(record("a", value)));
    uplink->send_control(record("connect", "1"));
    uplink->send_control(record("disconnect", "2"));
    uplink->send_control(record("late", "3"));
    EXPECT_GT(uplink->kept_records(), 0U);
    EXPECT_EQ(uplink->pressure(), Uplink::Pressure::stop);
    EXPECT_FALSE(uplink->send(record("telemetry")));
    bus.make_durable();
    uplink->flush();
    EXPECT_EQ(uplink->kept_records(), 0U);
    EXPECT_TRUE(uplink->send(record("telemetry")));
    EXPECT_EQ(sent(), (std::vector<std::string>{"a", "connect", "disconnect", "late", "telemetry"}));
}

TEST_F(UplinkTest, a_drain_waits_for_kept_records_too) {
    EXPECT_TRUE(uplink->send(record("a", std::string(3700, 'x'))));
    uplink->send_control(record("connect", "1"));
    uplink->send_control(record("disconnect", "2"));
    EXPECT_FALSE(uplink->drain(Millis(1)));
    bus.release();
    EXPECT_TRUE(uplink->drain(Millis(60'000)));
    EXPECT_EQ(bus.waiting(), 0U);
    EXPECT_EQ(sent().size(), 3U);
}

TEST_F(UplinkTest, new_connections_must_wait_when_half_of_the_room_for_kept_records_is_taken) {
    limits.control_records_max = 4;
    EXPECT_TRUE(uplink->send(record("a", std::string(3800, 'x'))));
    EXPECT_FALSE(uplink->is_short_of_room());
    uplink->send_control(record("1"));
    uplink->send_control(record("2"));
    EXPECT_TRUE(uplink->is_short_of_room());
}

}  // namespace
}  // namespace muster
