#include "alerts/attribution.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace muster {
namespace {

constexpr std::size_t pair_sides_max = 8;   ///< best regions and best other values that are tried in pairs
constexpr double pair_gain_min = 1.1;       ///< a second condition must explain so much more
constexpr double pair_precision_min = 1.3;  ///< … and hold so much larger a share of troubled devices
constexpr double covered_min = 0.5;         ///< a scope with less of the troubled devices explains nothing
constexpr double outside_share_max = 0.5;   ///< of the share inside: what is everywhere is not told by a scope
constexpr double shared_share_min = 0.1;
constexpr std::size_t shared_max = 8;

/// log-likelihood of `hits` in `trials` at their own rate.
double likelihood(double hits, double trials) {
    if (hits <= 0 || hits >= trials) {
        return 0;
    }
    const double rate = hits / trials;
    return hits * std::log(rate) + (trials - hits) * std::log(1 - rate);
}

double share(const Tally& tally) {
    return tally.population == 0 ? 0.0 : static_cast<double>(tally.troubled) / static_cast<double>(tally.population);
}

/// How much likelier the trouble becomes by telling these devices from all others; 0 when they are not clearly worse
/// off.
double gain(const Tally& inside, const Tally& whole) {
    const Tally outside{whole.population - inside.population, whole.troubled - inside.troubled};
    if (outside_share_max * share(inside) <= share(outside)) {
        return 0;
    }
    const auto of = [](const Tally& tally) {
        return likelihood(static_cast<double>(tally.troubled), static_cast<double>(tally.population));
    };
    return of(inside) + of(outside) - of(whole);
}

struct Candidate {
    Scope scope;
    Tally inside;
    double gain = 0;
};

std::vector<Candidate> candidates_of(const Cohorts& cohorts, Attribute attribute, std::size_t trouble,
                                     const Tally& whole) {
    std::vector<Candidate> found;
    const auto& values = cohorts.values(attribute);
    // Number 0 is "not known": no value that devices share.
    for (std::uint32_t value = 1; value < values.size(); ++value) {
        const Tally inside{values[value].population, values[value].fresh[trouble]};
        if (inside.troubled == 0) {
            continue;
        }
        const double gained = gain(inside, whole);
        if (gained > 0) {
            found.push_back({{{attribute, value}}, inside, gained});
        }
    }
    return found;
}

void keep_best(std::vector<Candidate>& candidates, std::size_t count) {
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.gain > b.gain; });
    candidates.resize(std::min(candidates.size(), count));
}

/// Each region with each of the others, counted in one pass over the cells.
std::vector<Candidate> pairs_of(const Cohorts& cohorts, const std::vector<Candidate>& regions,
                                const std::vector<Candidate>& others, std::size_t trouble, const Tally& whole) {
    std::vector<Candidate> pairs;
    for (const Candidate& region : regions) {
        for (const Candidate& other : others) {
            pairs.push_back({{region.scope[0], other.scope[0]}, {}, 0});
        }
    }
    std::vector<bool> in_other(others.size());
    for (const Cohorts::Cell& cell : cohorts.cells()) {
        for (std::size_t i = 0; i < others.size(); ++i) {
            in_other[i] = cohorts.is_within(cell, others[i].scope);
        }
        for (std::size_t r = 0; r < regions.size(); ++r) {
            if (!cohorts.is_within(cell, regions[r].scope)) {
                continue;
            }
            for (std::size_t i = 0; i < others.size(); ++i) {
                if (in_other[i]) {
                    Tally& inside = pairs[r * others.size() + i].inside;
                    inside.population += cell.population;
                    inside.troubled += cell.fresh[trouble];
                }
            }
        }
    }
    for (Candidate& pair : pairs) {
        pair.gain = gain(pair.inside, whole);
    }
    return pairs;
}

CauseKind kind_of(Attribute attribute) {
    switch (attribute) {
        case Attribute::region:
            return CauseKind::region_outage;
        case Attribute::gateway:
            return CauseKind::gateway_loss;
        case Attribute::carrier:
            return CauseKind::carrier_outage;
        case Attribute::model:
        case Attribute::firmware:
            return CauseKind::device_fault;
    }
    return CauseKind::unexplained;
}

CauseKind kind_of(const Candidate& candidate, Trouble trouble) {
    return trouble == Trouble::planned        ? CauseKind::planned_work
           : trouble == Trouble::refused      ? CauseKind::credential_failure
           : trouble == Trouble::gateway_lost ? CauseKind::gateway_loss
                                              : kind_of(candidate.scope.back().attribute);
}

/// 1 when nothing of another attribute explains anything, 0.5 when something explains as much.
double clearness(const Candidate& best, const std::vector<Candidate>& singles) {
    double rival = 0;
    for (const Candidate& single : singles) {
        const bool same = std::any_of(best.scope.begin(), best.scope.end(), [&](const Condition& condition) {
            return condition.attribute == single.scope[0].attribute;
        });
        rival = same ? rival : std::max(rival, single.gain);
    }
    return 1 - 0.5 * std::min(1.0, rival / best.gain);
}

}  // namespace

Attribution attribute_trouble(const Cohorts& cohorts, Trouble trouble) {
    Attribution result;
    result.whole = cohorts.whole(trouble);
    const auto index = static_cast<std::size_t>(trouble);
    std::vector<Candidate> regions = candidates_of(cohorts, Attribute::region, index, result.whole);
    std::vector<Candidate> others;
    for (const Attribute attribute : {Attribute::gateway, Attribute::carrier, Attribute::model, Attribute::firmware}) {
        const auto found = candidates_of(cohorts, attribute, index, result.whole);
        others.insert(others.end(), found.begin(), found.end());
    }
    keep_best(regions, pair_sides_max);
    keep_best(others, pair_sides_max);
    std::vector<Candidate> singles = regions;
    singles.insert(singles.end(), others.begin(), others.end());
    keep_best(singles, singles.size());
    if (singles.empty()) {
        return result;
    }
    Candidate best = singles.front();
    std::vector<Candidate> pairs = pairs_of(cohorts, regions, others, index, result.whole);
    keep_best(pairs, 1);
    if (!pairs.empty() && pairs[0].gain > pair_gain_min * best.gain &&
        share(pairs[0].inside) > pair_precision_min * share(best.inside)) {
        best = pairs[0];
    }
    const double covered = static_cast<double>(best.inside.troubled) /
                           static_cast<double>(std::max<std::int64_t>(1, result.whole.troubled));
    if (covered < covered_min) {
        return result;
    }
    result.cause = kind_of(best, trouble);
    result.scope = best.scope;
    result.inside = best.inside;
    result.confidence = covered * clearness(best, singles);
    return result;
}

std::vector<Incident::SharedAttribute> shared_by(const Cohorts& cohorts, const Cohorts::Claim& claim) {
    struct Found {
        Incident::SharedAttribute shared;
        double lift = 0;
    };
    std::vector<Found> found;
    const auto whole = static_cast<double>(std::max<std::int64_t>(1, cohorts.values(Attribute::region)[0].population));
    for (std::size_t i = 0; i < attribute_count; ++i) {
        const auto attribute = static_cast<Attribute>(i);
        const auto& values = cohorts.values(attribute);
        std::unordered_map<std::uint32_t, std::int64_t> members;
        for (const auto& [cell, count] : claim.by_cell) {
            for (std::uint32_t value = cohorts.cells()[cell].values[i]; value != 0; value = values[value].parent) {
                members[value] += count;
            }
        }
        for (const auto& [value, count] : members) {
            const double among =
                static_cast<double>(count) / static_cast<double>(std::max<std::int64_t>(1, claim.members));
            const double cohort = static_cast<double>(values[value].population) / whole;
            if (among >= shared_share_min && cohort < 1) {
                found.push_back({{std::string(name_of(attribute)), values[value].text, among, cohort}, among - cohort});
            }
        }
    }
    std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
        return std::tuple(-a.lift, a.shared.attribute, a.shared.value) <
               std::tuple(-b.lift, b.shared.attribute, b.shared.value);
    });
    found.resize(std::min(found.size(), shared_max));
    std::vector<Incident::SharedAttribute> out;
    out.reserve(found.size());
    for (Found& each : found) {
        out.push_back(std::move(each.shared));
    }
    return out;
}

std::string describe(const Cohorts& cohorts, const Scope& scope) {
    std::string region;
    std::string others;
    for (const Condition& condition : scope) {
        const std::string& text = cohorts.values(condition.attribute)[condition.value].text;
        if (condition.attribute == Attribute::region) {
            region = text;
        } else {
            others.append(others.empty() ? "" : ", ").append(fmt::format("{} {}", name_of(condition.attribute), text));
        }
    }
    return others.empty() ? (region.empty() ? "the fleet" : region)
                          : (region.empty() ? others : fmt::format("{} in {}", others, region));
}

std::vector<Incident::Condition> conditions_of(const Cohorts& cohorts, const Scope& scope) {
    std::vector<Incident::Condition> out;
    for (const Condition& condition : scope) {
        out.push_back(
            {std::string(name_of(condition.attribute)), cohorts.values(condition.attribute)[condition.value].text});
    }
    return out;
}

std::optional<Scope> scope_of(const Cohorts& cohorts, const std::vector<Incident::Condition>& conditions) {
    Scope scope;
    for (const Incident::Condition& condition : conditions) {
        const auto attribute = attribute_from(condition.attribute);
        const auto value = attribute ? cohorts.find(*attribute, condition.value) : std::nullopt;
        if (!value) {
            return std::nullopt;
        }
        scope.push_back({*attribute, *value});
    }
    return scope;
}

}  // namespace muster
