#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/result.h"

namespace muster::net {

/// An IPv4 or IPv6 address and a port, numeric; a value.
class Address final {
 public:
    /// 0.0.0.0:0.
    Address();
    /// "127.0.0.1:1883" or "[::1]:1883". invalid_argument with the text that was given.
    [[nodiscard]] static Result<Address> parse(std::string_view text);
    /// `size` bytes as the kernel gave them.
    [[nodiscard]] static Address from_kernel(const sockaddr* address, socklen_t size);

    /// The form that parse() takes.
    [[nodiscard]] std::string to_string() const;
    /// The same without the port and without brackets.
    [[nodiscard]] std::string host() const;
    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] Address with_port(std::uint16_t port) const;
    /// 127.0.0.0/8 or ::1.
    [[nodiscard]] bool is_loopback() const;
    [[nodiscard]] int family() const { return any_.sa_family; }
    [[nodiscard]] const sockaddr* get() const { return &any_; }
    [[nodiscard]] socklen_t size() const { return family() == AF_INET ? sizeof(v4_) : sizeof(v6_); }

 private:
    union {
        sockaddr any_;
        sockaddr_in v4_;
        sockaddr_in6 v6_;
    };
};

}  // namespace muster::net
