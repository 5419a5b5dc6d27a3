#include "api/incident_feed.h"

#include <future>

#include <gtest/gtest.h>

#include "api/test_ports.h"
#include "contract/bus_topics.h"

namespace muster {
namespace {

Incident incident(const std::string& id, bool open, std::int64_t opened_ms) {
    Incident out;
    out.id = id;
    out.open = open;
    out.region = "in/" + id;
    out.opened = from_epoch_ms(opened_ms);
    return out;
}

std::vector<std::string> ids(const std::vector<Incident>& incidents) {
    std::vector<std::string> out;
    for (const Incident& each : incidents) {
        out.push_back(each.id);
    }
    return out;
}

TEST(IncidentTable, lists_the_newest_first) {
    IncidentTable table(10);
    table.put(incident("a", true, 1));
    table.put(incident("b", false, 3));
    table.put(incident("c", true, 2));
    EXPECT_EQ(ids(table.list(false, 10)), (std::vector<std::string>{"b", "c", "a"}));
    EXPECT_EQ(ids(table.list(true, 1)), (std::vector<std::string>{"c"}));
    EXPECT_EQ(table.open_count(), 2U);
    EXPECT_EQ(table.open_by_region().at("in/c"), "c");
}

TEST(IncidentTable, lets_the_oldest_resolved_go_first) {
    IncidentTable table(2);
    table.put(incident("old-open", true, 1));
    table.put(incident("resolved", false, 2));
    table.put(incident("new", true, 3));
    EXPECT_EQ(ids(table.list(false, 10)), (std::vector<std::string>{"new", "old-open"}));
    table.put(incident("newest", true, 4));
    EXPECT_EQ(ids(table.list(false, 10)), (std::vector<std::string>{"newest", "new"}));
}

TEST(IncidentFeed, reads_what_was_there_and_what_comes) {
    MemoryBus bus;
    MetricRegistry metrics;
    IncidentTable table(10);
    const std::string topic(bus_topics::alerts);
    bus.append(topic, {"a", to_json(incident("a", true, 1)), {}, false});
    bus.append(topic, {"x", "not json", {}, false});
    std::promise<void> last;
    auto feed = IncidentFeed::start(
        bus, table,
        [&](const Incident& seen) {
            if (seen.id == "b") {
                last.set_value();
            }
        },
        metrics);
    ASSERT_TRUE(feed);
    bus.append(topic, {"a", {}, {}, true});
    bus.append(topic, {"b", to_json(incident("b", true, 1)), {}, false});
    last.get_future().wait();
    EXPECT_EQ(ids(table.list(false, 10)), (std::vector<std::string>{"b"}));
}

}  // namespace
}  // namespace muster
