#include "api/live.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/test_ports.h"
#include "contract/json.h"

namespace muster {
namespace {

using ::testing::ElementsAre;

Frame frame(const std::string& text) {
    return std::make_shared<const std::string>(text);
}

TEST(LiveOutbox, keeps_the_latest_of_what_is_a_state) {
    LiveOutbox outbox;
    EXPECT_EQ(outbox.put(LiveTopic::fleet, frame("1")), 0U);
    EXPECT_EQ(outbox.put(LiveTopic::fleet, frame("2")), 1U);
    EXPECT_EQ(outbox.put_device("d", frame("3")), 0U);
    EXPECT_EQ(outbox.put_device("d", frame("4")), 1U);
    EXPECT_EQ(*outbox.next(), "2");
    EXPECT_EQ(*outbox.next(), "4");
    EXPECT_EQ(outbox.next(), nullptr);
}

TEST(LiveOutbox, drops_the_oldest_of_what_is_a_stream) {
    LiveOutbox outbox;
    std::size_t dropped = 0;
    for (std::size_t i = 0; i < LiveOutbox::changes_max + 2; ++i) {
        dropped += outbox.put(LiveTopic::changes, frame(std::to_string(i)));
    }
    EXPECT_EQ(dropped, 2U);
    EXPECT_EQ(*outbox.next(), "2");
}

TEST(LiveOutbox, sends_what_matters_most_first) {
    LiveOutbox outbox;
    (void)outbox.put(LiveTopic::regions, frame("regions"));
    (void)outbox.put(LiveTopic::changes, frame("changes"));
    (void)outbox.put(LiveTopic::alerts, frame("alert"));
    (void)outbox.put_control(frame("hello"));
    std::vector<std::string> order;
    while (Frame next = outbox.next()) {
        order.push_back(*next);
    }
    EXPECT_THAT(order, ElementsAre("hello", "alert", "changes", "regions"));
}

class LiveTest : public ::testing::Test {
 protected:
    LiveTest() {
        watch = status.watch([this](const StatusDocument& document) { live.on_transition(document); },
                             [this](const StatusTouch& touch) { live.on_touch(touch); });
    }
    std::shared_ptr<LiveSession> open() {
        auto session = live.open();
        session->on_open([this] { ++wakes; });
        return session;
    }
    static std::vector<boost::json::object> take(LiveSession& session) {
        std::vector<boost::json::object> out;
        while (Frame next = session.next_frame()) {
            out.push_back(*json::parse_object(*next));
        }
        return out;
    }
    static std::vector<std::string> types(const std::vector<boost::json::object>& messages) {
        std::vector<std::string> out;
        for (const auto& message : messages) {
            out.emplace_back(message.at("type").as_string());
        }
        return out;
    }
    void change(const std::string& id, PresenceState state = PresenceState::online, const std::string& region = "in") {
        StatusDocument document;
        document.id = id;
        document.state = state;
        document.since = clock.now();
        document.attributes.region = region;
        (void)status.apply(std::vector{document}, {});
    }
    void tick(Millis after = LiveStream::tick_interval) {
        clock.advance(after);
        live.tick();
    }

    SharedManualClock clock;
    MetricRegistry metrics;
    MemoryStatusStore status;
    MemoryHistoryStore history;
    MemoryDocumentStore documents;
    IncidentTable incidents{10};
    FleetRates rates{metrics, clock};
    FleetQueries fleet{{status, incidents, rates, {}, clock, "0"}};
    DeviceQueries devices{{status, history, documents, clock}};
    LiveStream live{{2, "0"}, fleet, devices, metrics, clock};
    std::shared_ptr<void> watch;
    int wakes = 0;
};

TEST_F(LiveTest, a_new_session_is_greeted_and_shown_the_fleet_at_once) {
    auto session = open();
    session->on_message(R"({"subscribe":["fleet","regions"]})");
    EXPECT_THAT(types(take(*session)), ElementsAre("hello", "fleet", "regions"));
    EXPECT_GT(wakes, 0);
    session->on_close();
}

TEST_F(LiveTest, the_fleet_is_sent_once_a_second) {
    auto session = open();
    session->on_message(R"({"subscribe":["fleet"]})");
    (void)take(*session);
    int frames = 0;
    for (int i = 0; i < 30; ++i) {
        tick();
        frames += static_cast<int>(take(*session).size());
    }
    EXPECT_EQ(frames, 3);
    session->on_close();
}

TEST_F(LiveTest, regions_are_sent_only_when_they_changed) {
    auto session = open();
    session->on_message(R"({"subscribe":["regions"]})");
    tick();
    (void)take(*session);
    tick(Seconds(5));
    EXPECT_THAT(take(*session), ElementsAre());
    change("d");
    tick(Seconds(5));
    EXPECT_THAT(types(take(*session)), ElementsAre("regions"));
    session->on_close();
}

TEST_F(LiveTest, a_change_is_sent_with_the_next_tick) {
    auto session = open();
    session->on_message(R"({"subscribe":["changes"]})");
    (void)take(*session);
    change("d", PresenceState::offline);
    tick();
    const auto messages = take(*session);
    ASSERT_THAT(types(messages), ElementsAre("changes"));
    const auto& item = messages[0].at("data").as_array().at(0).as_object();
    EXPECT_EQ(item.at("id").as_string(), "d");
    EXPECT_EQ(item.at("state").as_string(), "offline");
    EXPECT_EQ(messages[0].at("sampled").as_int64(), 1);
    session->on_close();
}

TEST_F(LiveTest, a_storm_is_sampled_and_says_so) {
    auto session = open();
    session->on_message(R"({"subscribe":["changes"]})");
    (void)take(*session);
    for (int i = 0; i < 1000; ++i) {
        change("d-" + std::to_string(i), PresenceState::offline);
    }
    tick();
    const auto messages = take(*session);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].at("data").as_array().size(), LiveStream::changes_per_frame);
    EXPECT_EQ(messages[0].at("sampled").as_int64(), 20);
    EXPECT_EQ(messages[0].at("rate").as_int64(), 1000);
    session->on_close();
}

TEST_F(LiveTest, a_reader_that_never_reads_costs_a_bounded_number_of_frames) {
    auto session = open();
    session->on_message(R"({"subscribe":["fleet","regions","changes","alerts","device:d-1"]})");
    for (int i = 0; i < 1000; ++i) {
        change("d-1", i % 2 == 0 ? PresenceState::online : PresenceState::offline);
        Incident incident;
        incident.id = std::to_string(i);
        live.on_incident(incident);
        tick();
    }
    EXPECT_LE(take(*session).size(), LiveOutbox::control_max + LiveOutbox::alerts_max + LiveOutbox::changes_max + 3);
    EXPECT_NE(metrics.render().find("muster_api_frames_coalesced_total"), std::string::npos);
    session->on_close();
}

TEST_F(LiveTest, a_followed_device_is_sent_at_most_four_times_a_second) {
    change("d-1");
    auto session = open();
    session->on_message(R"({"subscribe":["device:d-1"]})");
    EXPECT_THAT(types(take(*session)), ElementsAre("hello", "device"));
    int frames = 0;
    for (int i = 0; i < 20; ++i) {
        change("d-1");
        tick(Millis(50));
        frames += static_cast<int>(take(*session).size());
    }
    EXPECT_EQ(frames, 4);
    session->on_close();
}

TEST_F(LiveTest, what_is_no_longer_followed_is_no_longer_sent) {
    change("d-1");
    auto session = open();
    session->on_message(R"({"subscribe":["changes","device:d-1"]})");
    (void)take(*session);
    session->on_message(R"({"unsubscribe":["changes","device:d-1"]})");
    change("d-1", PresenceState::offline);
    tick(Seconds(1));
    EXPECT_THAT(take(*session), ElementsAre());
    session->on_close();
}

TEST_F(LiveTest, an_incident_reaches_who_follows_alerts) {
    auto session = open();
    session->on_message(R"({"subscribe":["alerts"]})");
    (void)take(*session);
    Incident incident;
    incident.id = "i-1";
    live.on_incident(incident);
    tick();
    const auto messages = take(*session);
    ASSERT_THAT(types(messages), ElementsAre("alert"));
    EXPECT_EQ(messages[0].at("data").as_object().at("id").as_string(), "i-1");
    session->on_close();
}

TEST_F(LiveTest, nonsense_is_answered_with_an_error_and_the_session_goes_on) {
    auto session = open();
    for (const char* text : {"", "[]", "{\"subscribe\":\"fleet\"}", R"({"subscribe":["weather"]})",
                             R"({"subscribe":[7]})", R"({"subscribe":["device:a b"]})"}) {
        (void)take(*session);
        session->on_message(text);
        EXPECT_THAT(types(take(*session)), ElementsAre("error")) << text;
    }
    session->on_message(R"({"ping":1})");
    EXPECT_THAT(types(take(*session)), ElementsAre("pong"));
    session->on_close();
}

TEST_F(LiveTest, the_seventeenth_device_is_refused) {
    auto session = open();
    (void)take(*session);
    for (int i = 0; i < 17; ++i) {
        session->on_message(R"({"subscribe":["device:d-)" + std::to_string(i) + "\"]}");
    }
    EXPECT_THAT(types(take(*session)), ElementsAre("error"));
    session->on_close();
}

TEST_F(LiveTest, sessions_are_bounded_and_their_end_makes_room) {
    auto first = open();
    auto second = open();
    EXPECT_EQ(live.open(), nullptr);
    first->on_close();
    EXPECT_NE(live.open(), nullptr);
    second->on_close();
}

}  // namespace
}  // namespace muster
