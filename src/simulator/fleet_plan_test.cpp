#include "simulator/fleet_plan.h"

#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "contract/identity.h"
#include "simulator/back_off.h"

namespace muster {
namespace {

std::size_t count_role(const FleetPlan& plan, DeviceRole role) {
    return static_cast<std::size_t>(std::ranges::count(plan.devices, role, &PlannedDevice::role));
}

TEST(FleetPlan, is_a_pure_function_of_the_scenario) {
    const Scenario scenario;
    EXPECT_EQ(make_plan(scenario), make_plan(scenario));
}

TEST(FleetPlan, another_seed_gives_another_fleet) {
    Scenario other;
    other.seed = 43;
    EXPECT_NE(make_plan(Scenario{}).devices, make_plan(other).devices);
}

TEST(FleetPlan, a_larger_fleet_of_the_same_seed_contains_the_ids_of_the_smaller_one) {
    Scenario larger;
    larger.devices = 3000;
    std::set<std::string> ids;
    for (const auto& device : make_plan(larger).devices) {
        ids.insert(device.id);
    }
    for (const auto& device : make_plan(Scenario{}).devices) {
        EXPECT_TRUE(ids.contains(device.id)) << device.id;
    }
}

TEST(FleetPlan, ids_are_unique_and_valid_and_so_are_regions) {
    Scenario scenario;
    scenario.devices = 20'000;
    std::set<std::string> ids;
    for (const auto& device : make_plan(scenario).devices) {
        EXPECT_TRUE(is_valid_device_id(device.id));
        EXPECT_TRUE(is_valid_region(cohort_of(device).region));
        EXPECT_TRUE(ids.insert(device.id).second) << device.id;
    }
}

TEST(FleetPlan, cohorts_have_exactly_their_share) {
    Scenario scenario;
    for (const std::uint32_t devices : {1U, 13U, 999U, 1000U, 20'000U}) {
        scenario.devices = devices;
        const auto plan = make_plan(scenario);
        ASSERT_EQ(plan.devices.size(), devices);
        std::map<std::uint16_t, double> sizes;
        double weights = 0;
        for (const auto& device : plan.devices) {
            ++sizes[device.cohort];
        }
        for (const auto& cohort : all_cohorts()) {
            weights += cohort.weight;
        }
        for (std::uint16_t i = 0; i < all_cohorts().size(); ++i) {
            EXPECT_LT(std::abs(sizes[i] - devices * all_cohorts()[i].weight / weights), 1);
        }
    }
}

TEST(FleetPlan, roles_have_exactly_their_share) {
    const auto plan = make_plan(Scenario{});
    EXPECT_EQ(count_role(plan, DeviceRole::flapper), 20U);
    EXPECT_EQ(count_role(plan, DeviceRole::sleeper), 30U);
    EXPECT_EQ(std::ranges::count(plan.devices, 1, &PlannedDevice::qos), 250);
}

TEST(FleetPlan, only_chosen_regions_get_devices) {
    Scenario scenario;
    scenario.regions = {"in", "de/berlin"};
    for (const auto& device : make_plan(scenario).devices) {
        const auto region = cohort_of(device).region;
        EXPECT_TRUE(region.starts_with("in/") || region == "de/berlin") << region;
    }
}

TEST(FleetPlan, the_default_outage_hits_three_fifths_of_the_largest_region_after_a_minute) {
    const auto plan = make_plan(Scenario{});
    ASSERT_EQ(plan.outages.size(), 1U);
    const auto& outage = plan.outages[0];
    EXPECT_EQ(outage.region, "in/karnataka/ka-04");
    EXPECT_EQ(outage.start, Millis(60'000));
    EXPECT_EQ(outage.duration, Millis(120'000));
    EXPECT_EQ(outage.devices.size(), 84U);  // 140 devices there
    for (const auto index : outage.devices) {
        EXPECT_EQ(cohort_of(plan.devices[index]).region, outage.region);
    }
}

TEST(FleetPlan, positions_scatter_around_the_centre_of_the_cohort) {
    for (const auto& device : make_plan(Scenario{}).devices) {
        const auto& cohort = cohort_of(device);
        EXPECT_LE(std::abs(device.latitude - cohort.latitude), 3 * cohort.spread + 1e-4);
        EXPECT_LE(std::abs(device.longitude - cohort.longitude), 3 * cohort.spread + 1e-4);
    }
}

TEST(BackOff, delays_stay_within_the_doubling_ceiling_and_use_all_of_it) {
    Random random(7);
    for (int attempt = 0; attempt < 10; ++attempt) {
        const double ceiling = std::min(60'000.0, 1'000.0 * std::pow(2, attempt));
        double largest = 0;
        double smallest = ceiling;
        for (int i = 0; i < 300; ++i) {
            BackOff back_off;
            Millis delay{0};
            for (int n = 0; n <= attempt; ++n) {
                delay = back_off.next(BackOffLimits{}, random);
            }
            largest = std::max(largest, static_cast<double>(delay.count()));
            smallest = std::min(smallest, static_cast<double>(delay.count()));
        }
        EXPECT_LE(largest, ceiling);
        EXPECT_GT(largest, 0.9 * ceiling);
        EXPECT_LT(smallest, 0.1 * ceiling);
    }
}

TEST(BackOff, starts_again_from_one_second_after_a_reset) {
    Random random(7);
    BackOff back_off;
    for (int i = 0; i < 20; ++i) {
        (void)back_off.next(BackOffLimits{}, random);
    }
    back_off.reset();
    EXPECT_LE(back_off.next(BackOffLimits{}, random), BackOffLimits{}.first);
}

}  // namespace
}  // namespace muster
