// Input: a payload published to telemetry/{id}. What is read is bounded and finite, and reading it again gives the
// same.
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "contract/telemetry_json.h"

using namespace muster;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view payload(reinterpret_cast<const char*>(bytes), size);
    static TelemetryJson reader;
    std::vector<double> first;
    for (int pass = 0; pass < 2; ++pass) {
        const auto reading = reader.read(payload);
        if (!reading) {
            MUSTER_ASSERT(pass == 0 || first.empty());
            continue;
        }
        MUSTER_ASSERT(reading->samples.size() <= telemetry_samples_max);
        std::size_t at = 0;
        for (const TelemetrySample& sample : reading->samples) {
            MUSTER_ASSERT(sample.metrics.size() <= telemetry_metrics_max);
            for (const auto& [name, value] : sample.metrics) {
                MUSTER_ASSERT(!name.empty() && name.size() <= telemetry_name_bytes_max && std::isfinite(value));
                if (pass == 0) {
                    first.push_back(value);
                } else {
                    MUSTER_ASSERT(first[at++] == value);
                }
            }
        }
    }
    return 0;
}
