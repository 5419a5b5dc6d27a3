#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alerts/alertmanager_notifier.h"
#include "alerts/notification_marks.h"
#include "alerts/webhook_notifier.h"
#include "contract/json.h"

namespace muster {
namespace {

Incident incident(const std::string& id, bool open = true) {
    Incident out;
    out.id = id;
    out.rule = "region_offline_share";
    out.severity = "warning";
    out.cause = CauseKind::region_outage;
    out.open = open;
    out.region = "in/ka";
    out.opened = from_epoch_ms(1'700'000'000'000);
    out.timeline = {{from_epoch_ms(1'700'000'000'000), "opened"}};
    if (!open) {
        out.resolved = from_epoch_ms(1'700'000'060'000);
        out.timeline.push_back({*out.resolved, "recovered"});
    }
    return out;
}

constexpr Timestamp wall = from_epoch_ms(1'700'000'100'000);

struct WebhookTest : testing::Test {
    WebhookTest() : webhook({.url = "http://127.0.0.1:1/hook", .secret = "s", .queue_max = 4}) {}
    /// What is due now, answered with `status`; empty when nothing is due.
    std::string deliver(unsigned status) {
        const auto post = webhook.next(now, wall);
        if (!post) {
            return {};
        }
        webhook.on_answer(status, now);
        return std::string(json::parse_object(post->body)->at("event").as_string());
    }
    WebhookNotifier webhook;
    Millis now{0};
};

TEST(Hmac, is_that_of_rfc_4231) {
    EXPECT_EQ(hmac_sha256_hex("Jefe", "what do ya want for nothing?"),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_F(WebhookTest, tells_of_the_opening_and_of_the_end_once_and_of_no_figures) {
    webhook.on_incident(incident("a"), false, now);
    EXPECT_EQ(deliver(200), "opened");
    Incident grown = incident("a");
    grown.members = 99;
    webhook.on_incident(grown, false, now);
    EXPECT_EQ(deliver(200), "");
    grown.severity = "critical";
    webhook.on_incident(grown, false, now);
    EXPECT_EQ(deliver(200), "escalated");
    grown.region = "in";
    webhook.on_incident(grown, false, now);
    EXPECT_EQ(deliver(200), "widened");
    webhook.on_incident(incident("a", false), false, now);
    EXPECT_EQ(deliver(204), "resolved");
    EXPECT_FALSE(webhook.due());
}

TEST_F(WebhookTest, tries_again_with_growing_pauses_and_gives_up_at_last) {
    webhook.on_incident(incident("a"), false, now);
    std::vector<std::int64_t> pauses;
    while (deliver(500) == "opened" && webhook.due()) {
        EXPECT_EQ(deliver(500), "") << "not before it is due";
        pauses.push_back((*webhook.due() - now).count());
        now = *webhook.due();
    }
    EXPECT_EQ(pauses.size(), 11U);
    EXPECT_EQ(pauses[0], 1000);
    EXPECT_EQ(pauses[3], 8000);
    EXPECT_EQ(pauses.back(), 60'000);
    EXPECT_EQ(webhook.counts().given_up, 1U);
    EXPECT_EQ(webhook.counts().waiting, 0U);
}

TEST_F(WebhookTest, an_answer_that_another_attempt_would_not_change_is_final) {
    webhook.on_incident(incident("a"), false, now);
    EXPECT_EQ(deliver(404), "opened");
    EXPECT_EQ(webhook.counts().given_up, 1U);
    webhook.on_incident(incident("b"), false, now);
    EXPECT_EQ(deliver(429), "opened");
    EXPECT_EQ(webhook.counts().retried, 1U);
}

TEST_F(WebhookTest, what_waits_is_bounded_and_what_is_dropped_is_counted) {
    for (int i = 0; i < 10; ++i) {
        webhook.on_incident(incident(std::to_string(i)), false, now);
    }
    EXPECT_EQ(webhook.counts().waiting, 4U);
    EXPECT_EQ(webhook.counts().dropped, 6U);
}

TEST_F(WebhookTest, what_was_delivered_is_marked_and_what_was_not_is_told_after_a_restart) {
    webhook.on_incident(incident("a"), false, now);
    webhook.on_incident(incident("b"), false, now);
    EXPECT_EQ(deliver(200), "opened");
    const auto marks = webhook.take_marks();
    ASSERT_EQ(marks.size(), 1U) << "b still waits";
    EXPECT_EQ(marks[0].incident, "a");
    EXPECT_FALSE(marks[0].ended);
    EXPECT_TRUE(webhook.take_marks().empty());

    WebhookNotifier restarted({.url = "http://127.0.0.1:1/hook", .secret = {}});
    restarted.restore(marks[0]);
    Incident worse = incident("a");
    worse.severity = "critical";
    restarted.on_incident(worse, true, now);
    restarted.on_incident(incident("b"), true, now);
    std::vector<std::string> told;
    while (const auto post = restarted.next(now, wall)) {
        const auto body = json::parse_object(post->body);
        told.push_back(std::string(body->at("event").as_string()) + " " +
                       std::string(body->at("incident").at("id").as_string()));
        restarted.on_answer(200U, now);
    }
    EXPECT_THAT(told, testing::ElementsAre("escalated a", "opened b"));
    restarted.on_incident(incident("a", false), false, now);
    (void)restarted.next(now, wall);
    restarted.on_answer(200U, now);
    EXPECT_TRUE(restarted.take_marks().back().ended);
}

TEST_F(WebhookTest, marks_are_read_as_they_were_written) {
    const NotificationMark mark{"rule:in/ka:17", "critical", "in/ka", false};
    const auto read = parse_mark(mark_key("webhook", mark.incident), mark_value(mark));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->incident, mark.incident);
    EXPECT_EQ(read->severity, mark.severity);
    EXPECT_EQ(read->region, mark.region);
    EXPECT_EQ(sink_of_mark(mark_key("webhook", mark.incident)), "webhook");
    EXPECT_FALSE(parse_mark("webhook", mark_value(mark)));
    EXPECT_FALSE(parse_mark("webhook/a", "[]"));
}

TEST_F(WebhookTest, a_restart_tells_of_no_incident_again_but_of_its_end) {
    webhook.restore({"a", "warning", "in/ka", false});
    webhook.on_incident(incident("a"), true, now);
    webhook.on_incident(incident("old", false), true, now);
    EXPECT_EQ(deliver(200), "");
    webhook.on_incident(incident("a", false), false, now);
    EXPECT_EQ(deliver(200), "resolved");
}

struct AlertmanagerTest : testing::Test {
    AlertmanagerTest() : notifier({.url = "http://127.0.0.1:1", .dashboard_url = "http://d"}) {}
    /// The alerts that are posted now, taken well; empty when nothing is due.
    boost::json::array post() {
        const auto due = notifier.next(now, wall);
        if (!due) {
            return {};
        }
        EXPECT_EQ(due->url, "http://127.0.0.1:1/api/v2/alerts");
        notifier.on_answer(200U, now);
        return json::parse(due->body)->as_array();
    }
    AlertmanagerNotifier notifier;
    Millis now{0};
};

TEST_F(AlertmanagerTest, is_told_again_while_it_fires_with_the_same_labels) {
    notifier.on_incident(incident("a"), false, now);
    const auto first = post();
    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(post().size(), 0U);
    Incident grown = incident("a");
    grown.members = 99;
    grown.region = "in";
    grown.summary = "more";
    grown.severity = "critical";
    notifier.on_incident(grown, false, now);
    const auto worse = post();
    ASSERT_EQ(worse.size(), 1U) << "a new severity is told at once";
    EXPECT_EQ(worse[0].at("labels"), first[0].at("labels"));
    EXPECT_EQ(worse[0].at("annotations").at("severity").as_string(), "critical");
    now += Millis(30'000);
    EXPECT_EQ(post().size(), 1U);
    EXPECT_FALSE(first[0].as_object().contains("endsAt"));
    EXPECT_EQ(first[0].at("startsAt").as_string(), "2023-11-14T22:13:20.000Z");
    EXPECT_EQ(first[0].at("generatorURL").as_string(), "http://d/incidents/a");
}

TEST_F(AlertmanagerTest, is_told_of_the_end_for_five_minutes_and_then_no_more) {
    notifier.on_incident(incident("a"), false, now);
    (void)post();
    notifier.on_incident(incident("a", false), false, now);
    int told = 0;
    for (; now <= Millis(600'000); now += Millis(10'000)) {
        for (const auto& alert : post()) {
            EXPECT_EQ(alert.at("endsAt").as_string(), "2023-11-14T22:14:20.000Z");
            ++told;
        }
    }
    EXPECT_GE(told, 10);
    EXPECT_LE(told, 11);
    EXPECT_FALSE(notifier.due() && notifier.counts().waiting > 0);
}

TEST_F(AlertmanagerTest, that_is_away_is_told_as_soon_as_it_is_back) {
    notifier.on_incident(incident("a"), false, now);
    ASSERT_TRUE(notifier.next(now, wall));
    notifier.on_answer(fail(ErrorCode::unavailable, "nobody there"), now);
    EXPECT_EQ(*notifier.due(), Millis(5000));
    now = Millis(5000);
    EXPECT_EQ(post().size(), 1U);
    EXPECT_EQ(notifier.counts().retried, 1U);
}

TEST_F(AlertmanagerTest, news_during_a_post_is_told_right_after_it) {
    notifier.on_incident(incident("a"), false, now);
    ASSERT_TRUE(notifier.next(now, wall));
    notifier.on_incident(incident("b"), false, now);
    notifier.on_answer(200U, now);
    EXPECT_EQ(post().size(), 2U);
}

}  // namespace
}  // namespace muster
