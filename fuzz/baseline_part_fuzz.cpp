// Input: the first byte says which part, the rest is what TelemetryRules::encode_part() wrote. What can be taken back
// can be written again, and says the same; the devices that it speaks of can be judged.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "alerts/region_rules.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "contract/alert_rule.h"

using namespace muster;

namespace {

std::unique_ptr<RegionRules> rules_on_values() {
    auto rules = std::make_unique<RegionRules>();
    std::vector<Incident> changed;
    for (const std::string_view json : {R"({"name":"odd","metric":"anomaly","telemetry":"t"})",
                                        R"({"name":"apart","metric":"cohort_anomaly","telemetry":"t"})",
                                        R"({"name":"empty","metric":"days_to_empty","telemetry":"b","raise":2})"}) {
        MUSTER_ASSERT(rules->put(*parse_alert_rule(json), changed));
    }
    return rules;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::uint32_t part = bytes[0];
    ByteReader in(std::string_view(reinterpret_cast<const char*>(bytes + 1), size - 1));
    const auto rules = rules_on_values();
    const bool taken = rules->take_back(part, in, Millis(0)).has_value();
    const Timestamp time = from_epoch_ms(1'700'000'000'000);
    if (taken) {
        std::string again;
        ByteWriter out(again);
        (void)rules->encode_part(part, out);
        const auto same = rules_on_values();
        ByteReader in_again(again);
        MUSTER_ASSERT(same->take_back(part, in_again, Millis(0)));
        MUSTER_ASSERT(same->telemetry().scores().states() == rules->telemetry().scores().states());
        MUSTER_ASSERT(same->telemetry().cohorts() == rules->telemetry().cohorts());
    }
    for (int i = 0; i < 64; ++i) {
        (void)rules->on_value("d-" + std::to_string(i), "t", 20, time);
        (void)rules->on_value("d-" + std::to_string(i), "b", 80, time);
    }
    return 0;
}
