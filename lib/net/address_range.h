#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "net/address.h"

namespace muster::net {

/// The addresses that begin with the same bits, as "10.0.0.0/8", "2001:db8::/32" or one address alone; a value.
class AddressRange final {
 public:
    /// invalid_argument with the text that was given.
    [[nodiscard]] static Result<AddressRange> parse(std::string_view text);
    /// The port does not matter. An IPv4 address that came through an IPv6 socket counts as what it is.
    [[nodiscard]] bool contains(const Address& address) const;

 private:
    Address first_;
    std::size_t bits_ = 0;
};

}  // namespace muster::net
