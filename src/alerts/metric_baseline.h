#pragma once

#include <cstdint>
#include <limits>

#include "base/bytes.h"

namespace muster {

/// What is usual of one value of one device: its level as a running median, its spread as a running median absolute
/// deviation, and how much it changes from sample to sample. Every sample moves them by a bounded step, whatever its
/// size, so that an outlier poisons nothing; a shift that stays becomes usual after some hundred samples. Pure; owned
/// by ValueScores.
class MetricBaseline final {
 public:
    static constexpr std::uint32_t warm_up = 64;  ///< samples before anything is said

    /// What a sample is, against those before it.
    struct Score {
        bool is_warm = false;       ///< else deviation and noise are 0
        double deviation = 0;       ///< robust z-score, signed
        double noise = 0;           ///< scatter of the last two dozen samples over the usual one
        std::uint32_t repeats = 0;  ///< samples in a row with these very bits
    };

    /// Judges the sample, then takes it in. `value` is finite.
    Score take(double value);

    void encode(ByteWriter& out) const;
    /// False: not the state of a baseline.
    [[nodiscard]] bool decode(ByteReader& in);

    [[nodiscard]] double level() const { return level_; }
    /// In the unit of the value: an estimate of the standard deviation that outliers do not move.
    [[nodiscard]] double deviation() const;
    /// Seconds of elapsed time, for those who keep many; not encoded.
    [[nodiscard]] std::uint32_t heard_s() const { return heard_s_; }
    void set_heard_s(std::uint32_t heard_s) { heard_s_ = heard_s; }

 private:
    [[nodiscard]] double unit(double median) const;
    void begin(double value);
    void learn(double value, double step);

    double level_ = 0;
    double last_ = 0;
    /// The least difference of two samples in a row: what is finer than the sensor's grid is no deviation.
    double grid_ = std::numeric_limits<double>::infinity();
    float spread_ = 0;       ///< median of |value - level|
    float step_ = 0;         ///< median of |value - last|
    float recent_step_ = 0;  ///< mean of it over the last two dozen
    std::uint32_t samples_ = 0;
    std::uint32_t repeats_ = 0;
    std::uint32_t heard_s_ = 0;
};
static_assert(sizeof(MetricBaseline) <= 64, "a state of every device and value of a fleet");

}  // namespace muster
