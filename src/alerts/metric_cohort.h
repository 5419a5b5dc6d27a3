#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace muster {

/// What devices that are alike report at present: the median of a value over them, its MAD, and how long their values
/// stay the same. A device has one slot by the hash of its id, so that one that talks much counts once; of two devices
/// on a slot the last counts. Pure; owned by a rule of TelemetryRules; bounded by `slots`.
class MetricCohort final {
 public:
    static constexpr std::size_t slots = 256;
    static constexpr std::int64_t silent_ms = 3'600'000;  ///< a device that reports nothing for so long counts no more

    void take(std::string_view device, double value, std::uint32_t repeats, std::int64_t elapsed_ms);

    void encode(ByteWriter& out, std::int64_t elapsed_ms) const;
    /// `gap_ms` after it was encoded. False: not the state of a cohort.
    [[nodiscard]] bool decode(ByteReader& in, std::int64_t elapsed_ms, std::int64_t gap_ms);

    /// Devices that count, at most `slots`.
    [[nodiscard]] std::int64_t devices() const { return devices_; }
    /// Robust z-score of a value against the others; nullopt: they all report the same.
    [[nodiscard]] std::optional<double> deviation(double value) const;
    /// So many samples in a row are the same for three quarters of the devices, or fewer.
    [[nodiscard]] double usual_repeats() const { return usual_repeats_; }

 private:
    struct Slot {
        double value = 0;
        std::int64_t heard_ms = never;
        std::uint32_t repeats = 0;
    };
    static constexpr std::int64_t never = INT64_MIN;

    void sum_up(std::int64_t elapsed_ms);

    std::array<Slot, slots> slots_{};
    std::uint32_t since_sum_ = 0;  ///< samples
    std::int64_t devices_ = 0;
    double median_ = 0;
    double mad_ = 0;
    double usual_repeats_ = 0;
};

}  // namespace muster
