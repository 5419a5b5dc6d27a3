#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "alerts/region_rules.h"
#include "base/function_ref.h"
#include "base/metrics.h"
#include "base/time.h"

namespace muster {

// muster.baselines, compacted: what the rules on values have learnt of the devices, in ValueScores::parts records, so
// that a restart does not learn it anew. A record is whole in itself; docs/data-formats.md, "Baselines".

/// Writes the parts in turn, each once in `round` of the reports' time, and takes them back at a start. Owned by the
/// alerts role; one thread; holds one part at a time.
class BaselineTopic final {
 public:
    static constexpr Millis round{300'000};  ///< a kill costs at most so much of what was learnt
    /// An empty value: a tombstone.
    using Send = FunctionRef<void(std::string_view key, std::string_view value)>;

    explicit BaselineTopic(MetricRegistry& metrics);

    /// Takes back the newest record of each key, and begins to write. Before the first value is judged.
    void take_back(const std::map<std::string, std::string>& newest, RegionRules& rules);
    [[nodiscard]] bool is_taken_back() const { return is_taken_back_; }

    /// The parts that are due since the last call; none before take_back().
    void write_due(const RegionRules& rules, Send send);
    void write(std::uint32_t part, const RegionRules& rules, Send send);

 private:
    Counter& written_;
    Counter& restored_;
    Counter& damaged_;
    Counter& outdated_;
    bool is_taken_back_ = false;
    std::int64_t turns_ = 0;                  ///< of parts, since elapsed time 0
    std::bitset<ValueScores::parts> on_bus_;  ///< has a record that is no tombstone
    std::string value_;                       ///< reused
};

}  // namespace muster
