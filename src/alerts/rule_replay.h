#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "alerts/region_rules.h"
#include "contract/alert_rule.h"
#include "contract/incident.h"
#include "contract/region_counts.h"
#include "contract/status_document.h"

namespace muster {

/// What rules would have raised on recorded presence and samples: the alerts role's own judgement, on the times of the
/// record. Pure; one thread; bounded by changes_max and values_max.
class RuleReplay final {
 public:
    static constexpr std::size_t changes_max = 8'000'000;
    static constexpr std::size_t values_max = 16'000'000;

    /// invalid_argument: a rule that the record cannot judge: one on regions that names a model, firmware or
    /// carrier, or one on values that names a carrier.
    [[nodiscard]] static Result<RuleReplay> of(const std::vector<AlertRule>& rules);

    /// Names of the values that a rule looks at: no others need be added.
    [[nodiscard]] const std::set<std::string, std::less<>>& metrics() const { return metrics_; }
    /// A rule on values asks for the devices' models, firmwares or carriers.
    [[nodiscard]] bool needs_attributes() const { return needs_attributes_; }
    /// As they are for the whole of the record: the presence history has only the region.
    void know(const std::string& device, DeviceAttributes attributes) { attributes_[device] = std::move(attributes); }
    /// A sample's value; in any order. too_large: over values_max.
    [[nodiscard]] Result<void> add_value(const std::string& device, std::string_view metric, double value,
                                         Timestamp time);

    /// How a device was at the beginning, or from `document.since` on; in any order. too_large: over changes_max.
    [[nodiscard]] Result<void> add(StatusDocument document);

    /// Every incident from `from` to `to`, as it was in the end, by the time of opening. Once.
    [[nodiscard]] std::vector<Incident> run(Timestamp from, Timestamp to);

 private:
    /// Of a recorded sample; device and metric by their place in `names_`.
    struct Value {
        Timestamp time{};
        double value = 0;
        std::uint32_t device = 0;
        std::uint32_t metric = 0;
    };

    RuleReplay() : rules_(std::make_unique<RegionRules>()) {}
    void apply(const StatusDocument& document);
    [[nodiscard]] std::uint32_t name(std::string_view text);
    void report(Timestamp time, std::vector<Incident>& changed);

    std::unique_ptr<RegionRules> rules_;
    std::set<std::string, std::less<>> metrics_;
    bool needs_attributes_ = false;
    std::unordered_map<std::string, DeviceAttributes> attributes_;
    std::vector<Value> values_;
    std::vector<std::string> names_;
    std::unordered_map<std::string, std::uint32_t> name_of_;
    std::vector<StatusDocument> changes_;
    std::unordered_map<std::string, StatusDocument> devices_;
    std::map<std::string, RegionCounts, std::less<>> counts_;
    std::set<std::string, std::less<>> due_;  ///< regions to report
    std::int64_t offset_ = 0;
};

}  // namespace muster
