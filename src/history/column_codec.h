#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "history/scaled_decimal.h"

namespace muster {

// A column of whole numbers, in the form that takes the fewest bits:
//
//   u8 form
//   0 constant   varint value
//   1 level      varint base            | u8 k | residuals: value - base
//   2 slope      varint first, drift    | u8 k | residuals from the second on: value - the one before - drift
//   3 curve      varint first, slope    | u8 k | residuals from the third on: value - where the last two point
//   4 steps      varint first           | u8 k of runs, u8 k of changes | for each change: how many values are like the
//                one before it, then the change; at the end only the run
//
// varints are zigzag. Bits fill bytes from the lowest; the rest of the last byte is zero. Residuals and changes are
// zigzag, a change less one as it is never zero. All of them, and runs, are Rice codes: the quotient by 2^k as that
// many zeros and a one, then k bits of remainder; a quotient of 24 or more is 24 zeros, then the 64 bits of the number.
//
// A column of doubles:
//
//   u8 0 to 12   a column of whole numbers follows: the value times ten to this power
//   u8 255       XOR as in Gorilla (Pelkonen et al., VLDB 2015): 64 bits, then for each value its XOR with the one
//                before: 0 the same | 10 within the window of the last | 11, 6 bits of leading zeros, 6 bits of width
//                less one, a new window | then the window's bits

void encode_numbers(std::span<const std::int64_t> numbers, std::string& out);
/// Fills all of `numbers`. malformed: the bytes say something else, or are left over.
[[nodiscard]] Result<void> decode_numbers(std::string_view bytes, std::span<std::int64_t> numbers);

/// Values are finite. Bit for bit what is given comes back, -0.0 too.
void encode_doubles(std::span<const double> values, std::string& out);
[[nodiscard]] Result<void> decode_doubles(std::string_view bytes, std::span<double> values);

}  // namespace muster
