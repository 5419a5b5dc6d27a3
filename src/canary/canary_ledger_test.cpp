#include "canary/canary_ledger.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

using enum PresenceState;

struct Ledger : testing::Test {
    MetricRegistry metrics;
    CanaryLedger ledger{2, Millis(5000), metrics};
    static constexpr CanaryLedger::Death by_will{Cause::will, Millis(5000)};

    void live(Millis at) {
        ledger.lives(0, at);
        ledger.shown(0, online, Cause::connect, at + Millis(20));
    }
    [[nodiscard]] bool has_metric(const std::string& line) const {
        return metrics.render().find(line) != std::string::npos;
    }
};

TEST_F(Ledger, a_death_that_is_shown_in_time_is_a_detection_with_its_delay) {
    live(Millis(0));
    ledger.dies(0, by_will, Millis(1000));
    EXPECT_FALSE(ledger.is_settled(0));
    ledger.shown(0, offline, Cause::will, Millis(1040));
    EXPECT_TRUE(ledger.is_settled(0));
    const DetectionAccuracy accuracy = ledger.accuracy();
    ASSERT_EQ(accuracy.causes.size(), 1U);
    EXPECT_EQ(accuracy.causes[0].deaths, 1U);
    EXPECT_EQ(accuracy.causes[0].other_cause, 0U);
    EXPECT_EQ(accuracy.causes[0].p50_ms, 40);
    EXPECT_TRUE(has_metric("muster_detection_seconds_count{cause=\"will\"} 1"));
    ledger.advance(Millis(60'000));
    EXPECT_EQ(accuracy.missed_offline + accuracy.false_offline + accuracy.missed_online, 0U);
}

TEST_F(Ledger, a_wrong_cause_is_counted_with_the_detection) {
    live(Millis(0));
    ledger.dies(0, by_will, Millis(1000));
    ledger.shown(0, offline, Cause::connection_lost, Millis(1040));
    EXPECT_EQ(ledger.accuracy().causes[0].other_cause, 1U);
}

TEST_F(Ledger, a_death_that_is_not_shown_by_its_bound_is_missed_and_late_no_false_alarm) {
    live(Millis(0));
    ledger.dies(0, by_will, Millis(1000));
    ledger.advance(Millis(6000));
    EXPECT_FALSE(ledger.is_settled(0));
    ledger.advance(Millis(6001));
    EXPECT_TRUE(ledger.is_settled(0));
    EXPECT_EQ(ledger.accuracy().missed_offline, 1U);
    ledger.lives(0, Millis(8000));
    ledger.shown(0, offline, Cause::will, Millis(8010));
    ledger.shown(0, online, Cause::connect, Millis(8020));
    EXPECT_EQ(ledger.accuracy().false_offline, 0U);
}

TEST_F(Ledger, one_who_lives_and_is_shown_offline_or_unknown_is_a_false_alarm) {
    live(Millis(0));
    ledger.shown(0, unknown, Cause::gateway_lost, Millis(100));
    ledger.shown(0, offline, Cause::heartbeat_timeout, Millis(200));
    EXPECT_EQ(ledger.accuracy().false_offline, 2U);
    EXPECT_TRUE(has_metric("muster_canary_false_offline_total 2"));
}

TEST_F(Ledger, a_connect_that_is_not_shown_is_missed) {
    ledger.lives(1, Millis(0));
    ledger.advance(Millis(5001));
    EXPECT_EQ(ledger.accuracy().missed_online, 1U);
    EXPECT_TRUE(ledger.is_settled(1));
}

TEST_F(Ledger, what_a_disturbed_canary_is_shown_as_proves_nothing) {
    live(Millis(0));
    ledger.is_disturbed(0);
    ledger.shown(0, offline, Cause::connection_lost, Millis(100));
    ledger.advance(Millis(60'000));
    const DetectionAccuracy accuracy = ledger.accuracy();
    EXPECT_EQ(accuracy.false_offline + accuracy.missed_offline + accuracy.missed_online, 0U);
    EXPECT_TRUE(accuracy.causes.empty());
}

TEST_F(Ledger, keeps_the_newest_thousand_delays) {
    for (int i = 0; i < 1500; ++i) {
        const Millis now(i * 10'000);
        live(now);
        ledger.dies(0, by_will, now + Millis(100));
        ledger.shown(0, offline, Cause::will, now + Millis(i < 500 ? 4000 : 150));
    }
    EXPECT_EQ(ledger.accuracy().causes[0].deaths, 1500U);
    EXPECT_EQ(ledger.accuracy().causes[0].max_ms, 50);
}

}  // namespace
}  // namespace muster
