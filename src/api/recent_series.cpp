#include "api/recent_series.h"

#include <algorithm>
#include <cmath>

#include "api/json_writer.h"

namespace muster {

void RecentSeries::add(const FleetSample& sample) {
    const std::lock_guard lock(mutex_);
    fleet_.push_back(sample);
    if (fleet_.size() > fleet_samples_max) {
        fleet_.pop_front();
    }
}

void RecentSeries::add_regions(Timestamp time, const std::vector<std::pair<std::string, RegionCounts>>& regions) {
    const std::lock_guard lock(mutex_);
    times_.push_back(time);
    for (const auto& [region, counts] : regions) {
        auto found = shares_.find(region);
        if (found == shares_.end()) {
            if (region.empty() || shares_.size() >= regions_max) {
                continue;
            }
            found = shares_.emplace(region, std::deque<float>(times_.size() - 1, absent)).first;
        }
        found->second.push_back(static_cast<float>(counts.offline_share()));
    }
    const bool over = times_.size() > minutes_max;
    if (over) {
        times_.pop_front();
    }
    for (auto& [region, shares] : shares_) {
        if (shares.size() < times_.size() + (over ? 1 : 0)) {
            shares.push_back(absent);  // the region was not in this round
        }
        if (over) {
            shares.pop_front();
        }
    }
    std::erase_if(shares_, [](const auto& item) {
        return std::all_of(item.second.begin(), item.second.end(), [](float share) { return std::isnan(share); });
    });
}

std::string RecentSeries::fleet_json(std::size_t minutes) const {
    std::string out;
    JsonWriter writer(out);
    writer.begin_object().member("step_s", fleet_step.count()).key("series").begin_array();
    const std::lock_guard lock(mutex_);
    const std::size_t count = std::min(fleet_.size(), minutes * 6);
    for (auto at = fleet_.end() - static_cast<std::ptrdiff_t>(count); at != fleet_.end(); ++at) {
        writer.begin_object()
            .member("t", at->time)
            .member("online", at->counts.online)
            .member("offline", at->counts.offline)
            .member("unknown", at->counts.unknown)
            .member("records_per_s", at->records_per_s)
            .member("connects_per_min", at->connects_per_min)
            .member("incidents_open", at->incidents_open)
            .member("detection_p99_ms", at->detection_p99_ms)
            .end_object();
    }
    writer.end_array().end_object();
    return out;
}

std::string RecentSeries::regions_json(std::size_t minutes) const {
    std::string out;
    JsonWriter writer(out);
    writer.begin_object().member("step_s", regions_step.count()).key("times").begin_array();
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<std::ptrdiff_t>(std::min(times_.size(), minutes));
    std::for_each(times_.end() - count, times_.end(), [&](Timestamp time) { writer.value(time); });
    writer.end_array().key("regions").begin_array();
    for (const auto& [region, shares] : shares_) {
        writer.begin_object().member("region", region).key("offline_share").begin_array();
        // Four decimals are what a chart can show; the rest would be most of the bytes.
        std::for_each(shares.end() - count, shares.end(),
                      [&](float share) { writer.value(std::round(static_cast<double>(share) * 1e4) / 1e4); });
        writer.end_array().end_object();
    }
    writer.end_array().end_object();
    return out;
}

}  // namespace muster
