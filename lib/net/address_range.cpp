#include "net/address_range.h"

#include <charconv>
#include <cstring>
#include <string>

#include <netinet/in.h>

namespace muster::net {
namespace {

constexpr std::size_t mapped_prefix_bytes = 12;

/// The address's bytes in network order.
std::string_view bytes_of(const Address& address) {
    if (address.family() == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(address.get());
        return {reinterpret_cast<const char*>(&v4->sin_addr), sizeof(v4->sin_addr)};
    }
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address.get());
    const std::string_view bytes(reinterpret_cast<const char*>(&v6->sin6_addr), sizeof(v6->sin6_addr));
    return IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) != 0 ? bytes.substr(mapped_prefix_bytes) : bytes;
}

}  // namespace

Result<AddressRange> AddressRange::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::string host(text.substr(0, slash));
    const Result<Address> address =
        Address::parse(host.find(':') == std::string::npos ? host + ":0" : "[" + host + "]:0");
    AddressRange range;
    bool valid = address.has_value();
    if (valid) {
        range.first_ = *address;
        range.bits_ = bytes_of(range.first_).size() * 8;
    }
    if (valid && slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        std::size_t bits = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
        valid = !digits.empty() && error == std::errc{} && end == digits.data() + digits.size() && bits <= range.bits_;
        range.bits_ = bits;
    }
    if (!valid) {
        return fail(ErrorCode::invalid_argument, "not a range of addresses like 10.0.0.0/8 or ::1", std::string(text));
    }
    return range;
}

bool AddressRange::contains(const Address& address) const {
    const std::string_view ours = bytes_of(first_);
    const std::string_view theirs = bytes_of(address);
    if (ours.size() != theirs.size()) {
        return false;
    }
    const std::size_t whole = bits_ / 8;
    const unsigned rest = bits_ % 8;
    if (ours.substr(0, whole) != theirs.substr(0, whole)) {
        return false;
    }
    const auto differing = static_cast<unsigned char>(rest == 0 ? 0 : ours[whole] ^ theirs[whole]);
    return (differing >> (8U - rest)) == 0;
}

}  // namespace muster::net
