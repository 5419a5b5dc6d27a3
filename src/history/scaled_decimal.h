#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>

namespace muster {

// Doubles that are short decimals, as whole numbers: what devices send is 20.5, not a random mantissa. Inline, as this
// is done for every value that comes.

inline constexpr unsigned decimals_max = 12;
inline constexpr std::array<double, decimals_max + 1> powers_of_ten{1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                                                    1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
/// 2^51: products with powers of ten still round to the right number.
inline constexpr double whole_max = 2251799813685248.0;

/// Of a magnitude below whole_max; unlike llrint it is not a call.
[[nodiscard]] inline std::int64_t to_whole(double value) {
    return static_cast<std::int64_t>(value + std::copysign(0.5, value));
}

/// `value` times ten to the power of `decimals`, rounded; below whole_max.
[[nodiscard]] inline std::int64_t scaled(double value, unsigned decimals) {
    return to_whole(value * powers_of_ten[decimals]);
}
[[nodiscard]] inline double unscaled(std::int64_t number, unsigned decimals) {
    return static_cast<double>(number) / powers_of_ten[decimals];
}

/// The double is `number` / 10^`decimals`, bit for bit.
struct ScaledDecimal {
    std::int64_t number = 0;
    unsigned decimals = 0;
};

/// With the fewest decimals, but at least `at_least`, that make the value a whole number below whole_max from which
/// division gives the value again. nullopt: none up to decimals_max.
[[nodiscard]] inline std::optional<ScaledDecimal> scaled_decimal(double value, unsigned at_least = 0) {
    for (unsigned decimals = at_least; decimals <= decimals_max; ++decimals) {
        const double product = value * powers_of_ten[decimals];
        if (!(std::abs(product) < whole_max)) {
            return std::nullopt;
        }
        const std::int64_t number = to_whole(product);
        if (std::bit_cast<std::uint64_t>(unscaled(number, decimals)) == std::bit_cast<std::uint64_t>(value)) {
            return ScaledDecimal{number, decimals};
        }
    }
    return std::nullopt;
}

}  // namespace muster
