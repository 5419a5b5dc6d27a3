#include <array>

#include <fmt/format.h>

#include "alerts/alerts.h"
#include "contract/bus_topics.h"
#include "role_fixture.h"

namespace muster::sim {
namespace {

/// Delivers at once and to nobody; its words are shared with the test.
class MarkingNotifier final : public Notifier {
 public:
    struct Log {
        std::mutex mutex;
        std::vector<std::string> lines;  // under mutex
    };

    explicit MarkingNotifier(std::shared_ptr<Log> log) : log_(std::move(log)) {}

    void restore(const NotificationMark& mark) override { say("restored " + mark.incident + " " + mark.severity); }
    std::vector<NotificationMark> take_marks() override { return std::exchange(marks_, {}); }
    void on_incident(const Incident& incident, bool adopted, Millis) override {
        say((adopted ? "adopted " : "told ") + incident.id);
        if (!adopted) {
            marks_.push_back({incident.id, incident.severity, incident.region, !incident.open});
        }
    }
    std::optional<NotificationPost> next(Millis, Timestamp) override { return std::nullopt; }
    void on_answer(const Result<unsigned>&, Millis) override {}
    [[nodiscard]] std::optional<Millis> due() const override { return std::nullopt; }
    [[nodiscard]] NotifierCounts counts() const override { return {}; }

 private:
    void say(std::string line) {
        const std::lock_guard lock(log_->mutex);
        log_->lines.push_back(std::move(line));
    }

    std::shared_ptr<Log> log_;
    std::vector<NotificationMark> marks_;
};

struct AlertsRole : RoleFixture {
    void SetUp() override {
        RoleFixture::SetUp();
        regions = open(bus_topics::regions, TopicSpec::Cleanup::compacted);
        (void)open(bus_topics::alerts, TopicSpec::Cleanup::compacted);
        ConsumerOptions reader;
        reader.topics = {std::string(bus_topics::alerts)};
        incidents = std::move(*bus->consumer(std::move(reader)));
    }
    void TearDown() override {
        alerts.reset();
        incidents.reset();
        RoleFixture::TearDown();
    }
    void start() {
        AlertsOptions options;
        options.idle = Millis(5);
        options.file_rules = file_rules;
        if (sink_log) {
            options.notifiers.push_back(std::make_unique<NotificationSender>(
                "webhook", std::make_unique<MarkingNotifier>(sink_log), clock, metrics));
        }
        auto started = Alerts::start(std::move(options), *bus, clock, metrics);
        ASSERT_TRUE(started) << started.error().message();
        alerts = std::move(*started);
    }
    /// A partition's reports of some seconds, one region of it.
    void report(int seconds, std::int64_t offline, std::int64_t population) {
        for (int i = 0; i < seconds; ++i) {
            now += Seconds(1);
            for (const char* region : {"", "in"}) {
                RegionReport report{0, region, now, {}};
                report.counts.countable = region[0] == '\0' ? population * 50 : population;
                report.counts.countable_offline = offline;
                send(regions, region_report_key(0, region), to_json(report), {}, 0);
            }
            // A second at a time: what is superseded before it is read has never been said.
            send_durably();
        }
    }
    /// Reads muster.alerts on until it says this of an incident; the id, empty after a test's patience.
    [[nodiscard]] std::string wait_for(bool is_open) {
        std::string id;
        for (Millis waited{0}; id.empty() && waited < patience; waited += Millis(100)) {
            (void)incidents->poll(Millis(100), [&](const ConsumerRecord& record) {
                const auto incident = parse_incident(record.value);
                ids[std::string(record.key)] = incident->open;
                if (incident->open == is_open) {
                    id = incident->id;
                    last = *incident;
                }
            });
        }
        return id;
    }

    TopicId regions = 0;
    std::vector<AlertRule> file_rules;
    std::shared_ptr<MarkingNotifier::Log> sink_log;
    ManualClock clock;
    std::unique_ptr<Consumer> incidents;
    Incident last;  ///< the one that was waited for
    std::int64_t offset = 0;
    std::map<std::string, bool> ids;  ///< incident → is it open?
    std::unique_ptr<Alerts> alerts;
};

TEST_F(AlertsRole, writes_an_incident_when_it_opens_and_when_it_ends) {
    start();
    report(3, 0, 100);
    report(14, 50, 100);
    const std::string id = wait_for(true);
    ASSERT_NE(id, "");
    report(3, 0, 100);
    EXPECT_EQ(wait_for(false), id);
    EXPECT_EQ(ids.size(), 1U);
}

TEST_F(AlertsRole, a_restart_opens_no_second_incident_for_the_same_cause) {
    start();
    report(3, 0, 100);
    report(14, 50, 100);
    const std::string id = wait_for(true);
    ASSERT_NE(id, "");
    alerts.reset();
    report(5, 60, 100);
    start();
    report(20, 70, 100);
    report(3, 0, 100);
    EXPECT_EQ(wait_for(false), id);
    EXPECT_EQ(ids.size(), 1U);
}

TEST_F(AlertsRole, an_outage_that_ended_while_it_was_away_is_ended) {
    start();
    report(3, 0, 100);
    report(14, 50, 100);
    const std::string id = wait_for(true);
    ASSERT_NE(id, "");
    alerts.reset();
    report(5, 0, 100);
    start();
    report(3, 0, 100);
    EXPECT_EQ(wait_for(false), id);
}

TEST_F(AlertsRole, what_the_lost_devices_share_is_told_from_their_status) {
    const TopicId status = open(bus_topics::status, TopicSpec::Cleanup::compacted);
    start();
    const auto tell = [&](PresenceState state, int count) {
        for (int i = 0; i < 100; ++i) {
            StatusDocument document;
            document.id = "d-" + std::to_string(i);
            document.state = i < count ? state : PresenceState::online;
            document.cause = Cause::connection_lost;
            document.since = now;
            document.gateway = i % 2 == 0 ? "gw-1" : "gw-2";
            document.attributes.region = "in";
            document.attributes.carrier = i < 50 ? "airtel" : "jio";
            document.offset = ++offset;
            send(status, document.id, to_json(document), {}, any_partition);
        }
        send_durably();
    };
    tell(PresenceState::online, 100);
    report(3, 0, 100);
    tell(PresenceState::offline, 50);
    report(16, 50, 100);
    ASSERT_NE(wait_for(true), "");
    const Incident told = last;
    EXPECT_EQ(told.cause, CauseKind::carrier_outage) << to_json(told);
    EXPECT_EQ(told.scope, (std::vector<Incident::Condition>{{"carrier", "airtel"}}));
    EXPECT_EQ(told.members, 50);
    ASSERT_FALSE(told.shared.empty());
    EXPECT_EQ(told.shared[0].value, "airtel");
    EXPECT_DOUBLE_EQ(told.shared[0].cohort_share, 0.5);
    EXPECT_EQ(ids.size(), 1U) << "the region's share is explained by the carrier";
}

TEST_F(AlertsRole, rules_of_the_bus_are_in_force_and_those_of_a_file_leave_with_it) {
    const TopicId rules = open(bus_topics::rules, TopicSpec::Cleanup::compacted);
    AlertRule relaxed = default_rule();
    relaxed.raise = 0.7;
    relaxed.clear = 0.6;
    send(rules, relaxed.name, to_json(relaxed), {}, any_partition);
    send_durably();
    AlertRule eager = default_rule();
    eager.name = "eager";
    eager.origin = "file";
    eager.raise = 0.2;
    file_rules = {eager};
    start();
    report(3, 0, 100);
    report(14, 50, 100);
    const std::string id = wait_for(true);
    EXPECT_TRUE(id.starts_with("eager:")) << id;
    file_rules.clear();
    alerts.reset();
    start();
    report(3, 50, 100);
    EXPECT_EQ(wait_for(false), id) << "its rule is gone";
}

TEST_F(AlertsRole, a_report_that_cannot_be_read_is_counted_and_costs_no_neighbour) {
    start();
    send(regions, "0:in", "{broken", {}, 0);
    report(14, 50, 100);
    EXPECT_NE(wait_for(true), "");
    EXPECT_NE(metrics.render().find("muster_alerts_poison_total 1"), std::string::npos);
}

TEST_F(AlertsRole, what_a_sink_was_told_is_known_after_a_restart_until_the_end_was_told) {
    sink_log = std::make_shared<MarkingNotifier::Log>();
    start();
    report(14, 50, 100);
    const std::string id = wait_for(true);
    ASSERT_NE(id, "");
    alerts->stop();
    start();
    report(3, 0, 100);
    ASSERT_EQ(wait_for(false), id);
    alerts->stop();
    start();
    report(2, 0, 100);
    alerts->stop();
    const std::lock_guard lock(sink_log->mutex);
    const auto& lines = sink_log->lines;
    EXPECT_EQ(lines.front(), "told " + id);
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "restored " + id + " " + last.severity), 1)
        << "the second run knows it, the third has nothing more to tell";
    EXPECT_NE(std::find(lines.begin(), lines.end(), "adopted " + id), lines.end());
}

TEST_F(AlertsRole, a_fault_after_a_restart_is_found_by_what_was_learnt_before_it_and_once) {
    const TopicId events = open(bus_topics::events);
    AlertRule odd = *parse_alert_rule(R"({"name":"odd","metric":"anomaly","telemetry":"temperature","for_s":0})");
    odd.origin = "file";
    file_rules = {odd};
    EventHeader header;
    header.kind = EventKind::telemetry;
    header.epoch = 1;
    header.gateway = "gw-1";
    // All on one partition: what is said last is read last.
    const auto say = [&](std::string_view device, int samples, double more) {
        for (int i = 0; i < samples; ++i) {
            header.received = now;
            std::string packed;
            encode(header, packed);
            const std::array<RecordHeader, 1> headers{RecordHeader{event_header_name, packed}};
            send(events, device, fmt::format(R"({{"temperature":{}}})", 20 + more + 0.1 * (i % 7)), headers, 0);
        }
        send_durably();
    };
    /// Reports, and says `device` each time, until a metric has this value.
    const auto report_until = [&](std::string_view metric, std::string_view device) {
        for (Millis waited{0}; waited < patience; waited += Millis(10)) {
            if (metrics.render().find(fmt::format("\n{}\n", metric)) != std::string::npos) {
                return true;
            }
            if (!device.empty()) {
                say(device, 1, 0);
            }
            report(1, 0, 100);
        }
        return false;
    };
    start();
    ASSERT_TRUE(report_until("muster_alerts_baselines 1", "d-1")) << "samples are read from some time on";
    say("d-1", 200, 0);
    ASSERT_TRUE(report_until("muster_alerts_baselines 2", "d-2"));
    alerts.reset();
    start();
    ASSERT_TRUE(report_until("muster_alerts_baselines_restored_total 2", ""));
    say("d-1", 4, 30);
    report(3, 0, 100);
    const std::string id = wait_for(true);
    EXPECT_TRUE(id.starts_with("odd:")) << id;
    ASSERT_EQ(last.devices.size(), 1U);
    EXPECT_EQ(last.devices[0].device, "d-1");
    alerts.reset();
    start();
    ASSERT_TRUE(report_until("muster_alerts_baselines_restored_total 4", ""));
    say("d-1", 8, 0);
    report(3, 0, 100);
    EXPECT_EQ(wait_for(false), id);
    EXPECT_EQ(ids.size(), 1U);
}

}  // namespace
}  // namespace muster::sim
