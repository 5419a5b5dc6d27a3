#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace muster::net {

/// Fills with bytes fit for secrets: getrandom(2), which cannot fail once the system is up.
void fill_with_entropy(std::span<std::uint8_t> out);
/// `bytes` of entropy as lower-case hexadecimal.
[[nodiscard]] std::string random_hex(std::size_t bytes);

}  // namespace muster::net
