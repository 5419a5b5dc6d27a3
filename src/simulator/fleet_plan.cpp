#include "simulator/fleet_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/random.h"

namespace muster {
namespace {

/// One well-mixed number from two: the first draw of a generator seeded by both.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    return Random(a ^ Random(b).next()).next();
}

std::uint64_t hash_of(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return hash;
}

// Streams of chance, so that one decision does not move another.
constexpr std::uint64_t role_stream = 1;
constexpr std::uint64_t qos_stream = 2;
constexpr std::uint64_t outage_stream = 1000;  ///< and one up for each outage

std::vector<std::uint16_t> chosen_cohorts(const Scenario& scenario) {
    std::vector<std::uint16_t> chosen;
    const auto cohorts = all_cohorts();
    for (std::size_t i = 0; i < cohorts.size(); ++i) {
        const bool wanted = std::ranges::any_of(
            scenario.regions, [&](const std::string& path) { return region_is_under(cohorts[i].region, path); });
        if (wanted || scenario.regions.empty()) {
            chosen.push_back(static_cast<std::uint16_t>(i));
        }
    }
    return chosen;
}

/// Shares `devices` out by weight: each cohort gets its whole part, the largest remainders get the rest.
std::vector<std::uint32_t> cohort_sizes(std::uint32_t devices, const std::vector<std::uint16_t>& cohorts) {
    const auto weight = [&](std::size_t i) { return std::uint64_t{all_cohorts()[cohorts[i]].weight}; };
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < cohorts.size(); ++i) {
        total += weight(i);
    }
    std::vector<std::uint32_t> sizes(cohorts.size());
    if (total == 0) {
        return sizes;
    }
    std::uint32_t left = devices;
    for (std::size_t i = 0; i < cohorts.size(); ++i) {
        sizes[i] = static_cast<std::uint32_t>(devices * weight(i) / total);
        left -= sizes[i];
    }
    std::vector<std::size_t> order(cohorts.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return devices * weight(i) % total; });
    for (std::uint32_t i = 0; i < left; ++i) {
        ++sizes[order[i]];
    }
    return sizes;
}

std::uint8_t pick_usually_first(Random& random) {
    const double chance = random.uniform();
    return chance < 0.6 ? 0 : chance < 0.9 ? 1 : 2;
}

Network pick_network(const Cohort& cohort, Random& random) {
    const double chance = random.uniform();
    if (chance < cohort.network_shares[0]) {
        return Network::gsm_2g;
    }
    return chance < cohort.network_shares[0] + cohort.network_shares[1] ? Network::umts_3g : Network::lte_4g;
}

PlannedDevice plan_device(const Scenario& scenario, std::uint16_t cohort_index, std::uint32_t ordinal) {
    const Cohort& cohort = all_cohorts()[cohort_index];
    PlannedDevice device;
    device.seed = mix(mix(scenario.seed, hash_of(cohort.code)), ordinal);
    Random random(device.seed);
    device.id = fmt::format("{}-{:04}-{:06x}", cohort.code, ordinal, random.below(1U << 24U));
    device.cohort = cohort_index;
    device.network = pick_network(cohort, random);
    device.type = static_cast<std::uint8_t>(random.below(all_device_types().size()));
    device.firmware = pick_usually_first(random);
    device.carrier = pick_usually_first(random);
    const auto scatter = [&] { return std::clamp(random.normal(), -3.0, 3.0) * cohort.spread; };
    device.latitude = static_cast<float>(cohort.latitude + scatter());
    device.longitude = static_cast<float>(cohort.longitude + scatter());
    const double jitter = 0.9 + 0.2 * random.uniform();
    device.telemetry_interval = Millis(std::llround(static_cast<double>(scenario.telemetry_interval.count()) * jitter));
    return device;
}

/// Exactly round(share * members) of `members`, by a rank that is drawn for each from its own seed.
std::vector<std::uint32_t> draw(std::vector<std::uint32_t> members, double share, std::uint64_t stream,
                                const std::vector<PlannedDevice>& devices) {
    const auto count = static_cast<std::size_t>(std::llround(share * static_cast<double>(members.size())));
    std::vector<std::pair<std::uint64_t, std::uint32_t>> ranked;
    ranked.reserve(members.size());
    for (const std::uint32_t member : members) {
        ranked.emplace_back(mix(devices[member].seed, stream), member);
    }
    std::ranges::sort(ranked);
    members.clear();
    for (std::size_t i = 0; i < count; ++i) {
        members.push_back(ranked[i].second);
    }
    return members;
}

std::vector<std::uint32_t> indices_of(const std::vector<PlannedDevice>& devices, std::string_view region) {
    std::vector<std::uint32_t> indices;
    for (std::uint32_t i = 0; i < devices.size(); ++i) {
        if (region_is_under(cohort_of(devices[i]).region, region)) {
            indices.push_back(i);
        }
    }
    return indices;
}

void assign_roles(const Scenario& scenario, std::vector<PlannedDevice>& devices) {
    const auto order = draw(indices_of(devices, "all"), 1, role_stream, devices);
    const auto count = [&](double share) {
        return static_cast<std::size_t>(std::llround(share * static_cast<double>(devices.size())));
    };
    const std::size_t flappers = count(scenario.flappers);
    const std::size_t sleepers = std::min(count(scenario.sleepers), devices.size() - flappers);
    for (std::size_t i = 0; i < flappers + sleepers; ++i) {
        devices[order[i]].role = i < flappers ? DeviceRole::flapper : DeviceRole::sleeper;
    }
    for (const std::uint32_t i : draw(indices_of(devices, "all"), scenario.qos1, qos_stream, devices)) {
        devices[i].qos = 1;
    }
}

std::string_view largest_region(const std::vector<PlannedDevice>& devices) {
    std::vector<std::size_t> sizes(all_cohorts().size());
    for (const PlannedDevice& device : devices) {
        ++sizes[device.cohort];
    }
    const auto largest = std::ranges::max_element(sizes) - sizes.begin();
    return all_cohorts()[static_cast<std::size_t>(largest)].region;
}

PlannedOutage plan_outage(const Outage& outage, std::uint64_t stream, const std::vector<PlannedDevice>& devices) {
    PlannedOutage planned;
    planned.region = outage.region.empty() ? std::string(largest_region(devices)) : outage.region;
    planned.start = outage.start;
    planned.duration = outage.duration;
    planned.devices = draw(indices_of(devices, planned.region), outage.share, stream, devices);
    std::ranges::sort(planned.devices);
    return planned;
}

}  // namespace

FleetPlan make_plan(const Scenario& scenario) {
    const auto valid = validate(scenario);
    MUSTER_ASSERT(valid.has_value());
    FleetPlan plan;
    plan.devices.reserve(scenario.devices);
    const auto cohorts = chosen_cohorts(scenario);
    const auto sizes = cohort_sizes(scenario.devices, cohorts);
    for (std::size_t i = 0; i < cohorts.size(); ++i) {
        for (std::uint32_t ordinal = 0; ordinal < sizes[i]; ++ordinal) {
            plan.devices.push_back(plan_device(scenario, cohorts[i], ordinal));
        }
    }
    assign_roles(scenario, plan.devices);
    for (std::size_t i = 0; i < scenario.outages.size(); ++i) {
        plan.outages.push_back(plan_outage(scenario.outages[i], outage_stream + i, plan.devices));
    }
    std::ranges::stable_sort(plan.outages, {}, &PlannedOutage::start);
    return plan;
}

const Cohort& cohort_of(const PlannedDevice& device) {
    return all_cohorts()[device.cohort];
}

std::string_view model_of(const PlannedDevice& device) {
    return all_device_types()[device.type].model;
}

std::string_view firmware_of(const PlannedDevice& device) {
    return all_device_types()[device.type].firmware[device.firmware];
}

std::string_view carrier_of(const PlannedDevice& device) {
    return cohort_of(device).carriers[device.carrier];
}

}  // namespace muster
