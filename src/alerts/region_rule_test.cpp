#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alerts/region_rules.h"

namespace muster {
namespace {

/// Regions of two partitions whose counts a test sets; each second both report.
struct RegionRuleTest : testing::Test {
    void SetUp() override { EXPECT_TRUE(rule.put(default_rule(), changed)); }
    void set(const std::string& region, std::int64_t offline, std::int64_t population) {
        counts[region].countable = population;
        counts[region].countable_offline = offline;
    }
    /// Lets seconds pass. The counts are split over the partitions.
    void pass(int seconds) { pass_on(rule, seconds); }
    void pass_on(RegionRules& judge, int seconds) {
        for (int i = 0; i < seconds; ++i) {
            now += Seconds(1);
            for (std::int32_t partition = 0; partition < 2; ++partition) {
                for (const auto& [region, whole] : counts) {
                    RegionCounts part;
                    part.countable = partition == 0 ? whole.countable / 2 : whole.countable - whole.countable / 2;
                    part.countable_offline = partition == 0 ? whole.countable_offline / 2
                                                            : whole.countable_offline - whole.countable_offline / 2;
                    EXPECT_TRUE(judge.on_report({partition, region, now + skew * partition, part}, changed));
                }
            }
        }
    }
    [[nodiscard]] std::vector<std::string> open_regions() const {
        std::vector<std::string> regions;
        for (const std::vector<Incident> open = rule.open_incidents(); const Incident& incident : open) {
            regions.push_back(incident.region);
        }
        return regions;
    }
    /// How many incidents were ever opened.
    [[nodiscard]] std::size_t incidents() const {
        std::map<std::string, int> ids;
        for (const Incident& incident : changed) {
            ++ids[incident.id];
        }
        return ids.size();
    }

    RegionRules rule;
    std::map<std::string, RegionCounts> counts{{"", {}}};
    std::vector<Incident> changed;
    Timestamp now = from_epoch_ms(1'700'000'000'000);
    Millis skew{0};
};

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(RegionRuleTest, opens_when_more_than_a_tenth_is_offline_for_ten_seconds) {
    set("in", 2, 100);
    pass(5);
    set("in", 11, 100);
    pass(10);
    EXPECT_THAT(open_regions(), IsEmpty());
    pass(2);
    ASSERT_THAT(open_regions(), ElementsAre("in"));
    const Incident incident = rule.open_incidents()[0];
    EXPECT_EQ(incident.members, 11);
    EXPECT_EQ(incident.population, 100);
    EXPECT_GE(incident.opened - incident.threshold_crossed, Millis(10'000));
    EXPECT_LE(incident.opened - incident.threshold_crossed, Millis(11'000));
    EXPECT_EQ(incident.id, "region_offline_share:in:" + std::to_string(to_epoch_ms(incident.opened)));
    EXPECT_EQ(incident.severity, "warning");
    EXPECT_EQ(incident.timeline.size(), 2U);
}

TEST_F(RegionRuleTest, a_share_that_drops_within_the_ten_seconds_opens_nothing) {
    for (int i = 0; i < 5; ++i) {
        set("in", 30, 100);
        pass(8);
        set("in", 9, 100);
        pass(2);
    }
    EXPECT_THAT(changed, IsEmpty());
}

TEST_F(RegionRuleTest, fewer_than_twenty_devices_open_nothing) {
    set("in", 19, 19);
    pass(30);
    EXPECT_THAT(changed, IsEmpty());
}

TEST_F(RegionRuleTest, clears_only_below_eight_percent) {
    set("in", 50, 100);
    pass(12);
    set("in", 9, 100);
    pass(30);
    EXPECT_THAT(open_regions(), ElementsAre("in"));
    set("in", 7, 100);
    pass(2);
    EXPECT_THAT(open_regions(), IsEmpty());
    const Incident& last = changed.back();
    EXPECT_FALSE(last.open);
    EXPECT_TRUE(last.resolved.has_value());
    EXPECT_DOUBLE_EQ(last.share_peak, 0.5);
    EXPECT_EQ(last.severity, "critical");
    EXPECT_EQ(incidents(), 1U);
}

TEST_F(RegionRuleTest, a_child_that_explains_its_parents_is_the_incident) {
    set("", 95, 400);
    set("in", 95, 200);
    set("in/ka", 92, 100);
    set("in/ka/ka-01", 50, 50);
    set("in/ka/ka-02", 42, 50);
    set("in/tn", 3, 100);
    pass(20);
    EXPECT_THAT(open_regions(), ElementsAre("in/ka"));
    EXPECT_EQ(incidents(), 1U);
    EXPECT_EQ(rule.open_incidents()[0].shared[0].value, "in/ka/ka-01");
}

TEST_F(RegionRuleTest, children_fold_into_the_parent_that_breaches) {
    set("", 100, 400);
    set("in", 100, 200);
    set("in/ka", 50, 100);
    set("in/tn", 50, 100);
    pass(20);
    EXPECT_THAT(open_regions(), ElementsAre("in"));
    EXPECT_EQ(incidents(), 1U);
}

TEST_F(RegionRuleTest, a_cause_that_spreads_widens_its_incident_and_takes_in_the_others) {
    set("in", 11, 400);
    set("in/ka", 11, 100);
    set("in/tn", 0, 100);
    pass(12);
    ASSERT_THAT(open_regions(), ElementsAre("in/ka"));
    const std::string id = rule.open_incidents()[0].id;
    set("in", 25, 400);
    set("in/tn", 14, 100);
    pass(12);
    ASSERT_THAT(open_regions(), ElementsAre("in/ka", "in/tn")) << "6 % of the parent: two causes as far as is known";
    set("in", 100, 400);
    set("in/ka", 50, 100);
    set("in/tn", 50, 100);
    pass(12);
    ASSERT_THAT(open_regions(), ElementsAre("in"));
    EXPECT_EQ(rule.open_incidents()[0].id, id);
    EXPECT_EQ(incidents(), 2U);
}

TEST_F(RegionRuleTest, an_incident_lasts_until_nothing_within_its_region_breaches) {
    set("in", 100, 200);
    set("in/ka", 50, 100);
    set("in/tn", 50, 100);
    pass(12);
    set("in", 15, 200);
    set("in/ka", 15, 100);
    set("in/tn", 0, 100);
    pass(20);
    EXPECT_THAT(open_regions(), ElementsAre("in")) << "the parent is over; a child is not yet";
    set("in", 0, 200);
    set("in/ka", 0, 100);
    pass(2);
    EXPECT_THAT(open_regions(), IsEmpty());
    EXPECT_EQ(incidents(), 1U);
}

TEST_F(RegionRuleTest, two_regions_apart_are_two_incidents) {
    set("", 40, 1000);
    set("de", 20, 100);
    set("in", 20, 100);
    pass(20);
    EXPECT_THAT(open_regions(), ElementsAre("de", "in"));
}

TEST_F(RegionRuleTest, a_region_whose_name_starts_like_anothers_is_not_within_it) {
    EXPECT_TRUE(is_within("in/ka", "in"));
    EXPECT_FALSE(is_within("in-2", "in"));
    set("in", 50, 100);
    set("in-2", 50, 100);
    set("in/ka", 50, 50);
    pass(20);
    EXPECT_THAT(open_regions(), testing::UnorderedElementsAre("in-2", "in/ka"));
}

// G4
TEST_F(RegionRuleTest, time_that_nobody_reported_does_not_count) {
    set("in", 50, 100);
    pass(3);
    now += Seconds(3600);
    pass(1);
    EXPECT_THAT(open_regions(), IsEmpty());
    pass(8);
    EXPECT_THAT(open_regions(), ElementsAre("in"));
}

TEST_F(RegionRuleTest, partitions_whose_clocks_differ_do_not_hurry_it) {
    skew = Seconds(60);
    set("in", 50, 100);
    pass(10);
    EXPECT_THAT(open_regions(), IsEmpty());
    pass(2);
    EXPECT_THAT(open_regions(), ElementsAre("in"));
}

TEST_F(RegionRuleTest, an_adopted_incident_goes_on_and_is_not_opened_again) {
    set("in", 50, 100);
    pass(12);
    const Incident before = rule.open_incidents()[0];

    changed.clear();
    RegionRules restarted;
    EXPECT_TRUE(restarted.put(default_rule(), changed));
    restarted.adopt(before, changed);
    restarted.set_judging(false);
    pass_on(restarted, 1);
    restarted.set_judging(true);
    pass_on(restarted, 20);
    ASSERT_EQ(restarted.open_incidents().size(), 1U);
    EXPECT_EQ(restarted.open_incidents()[0].id, before.id);
    set("in", 0, 100);
    pass_on(restarted, 2);
    ASSERT_FALSE(changed.empty());
    EXPECT_EQ(changed.back().id, before.id);
    EXPECT_FALSE(changed.back().open);
}

TEST_F(RegionRuleTest, two_incidents_of_a_place_have_two_ids_though_the_time_of_the_reports_stands) {
    set("in", 2, 100);
    pass(5);
    EXPECT_TRUE(rule.on_report({7, "de", now + Seconds(3600), {}}, changed));  // a clock that ran ahead, and is gone
    set("in", 50, 100);
    pass(15);
    set("in", 0, 100);
    pass(5);
    set("in", 50, 100);
    pass(15);
    EXPECT_EQ(incidents(), 2U);
}

TEST_F(RegionRuleTest, figures_of_an_open_incident_are_renewed_now_and_then) {
    set("in", 20, 100);
    pass(12);
    changed.clear();
    set("in", 60, 100);
    pass(12);
    ASSERT_FALSE(changed.empty());
    EXPECT_LE(changed.size(), 3U);
    EXPECT_EQ(changed.back().members, 60);
    EXPECT_EQ(changed.back().severity, "critical");
    changed.clear();
    pass(30);
    EXPECT_THAT(changed, IsEmpty()) << "nothing new, nothing said";
}

}  // namespace
}  // namespace muster
