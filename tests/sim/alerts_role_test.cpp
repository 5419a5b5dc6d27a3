#include "alerts/alerts.h"
#include "contract/bus_topics.h"
#include "role_fixture.h"

namespace muster::sim {
namespace {

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
                id = incident->open == is_open ? incident->id : id;
            });
        }
        return id;
    }

    TopicId regions = 0;
    std::vector<AlertRule> file_rules;
    ManualClock clock;
    std::unique_ptr<Consumer> incidents;
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

TEST_F(AlertsRole, a_report_that_cannot_be_read_is_counted_and_costs_no_neighbour) {
    start();
    send(regions, "0:in", "{broken", {}, 0);
    report(14, 50, 100);
    EXPECT_NE(wait_for(true), "");
    EXPECT_NE(metrics.render().find("muster_alerts_poison_total 1"), std::string::npos);
}

}  // namespace
}  // namespace muster::sim
