#include "net/entropy.h"

#include <vector>

#include <fmt/format.h>
#include <sys/random.h>

#include "base/assert.h"

namespace muster::net {

void fill_with_entropy(std::span<std::uint8_t> out) {
    while (!out.empty()) {
        const ssize_t got = ::getrandom(out.data(), out.size(), 0);
        MUSTER_ASSERT(got > 0 || errno == EINTR);
        if (got > 0) {
            out = out.subspan(static_cast<std::size_t>(got));
        }
    }
}

std::string random_hex(std::size_t bytes) {
    std::vector<std::uint8_t> raw(bytes);
    fill_with_entropy(raw);
    std::string out;
    out.reserve(2 * bytes);
    for (const std::uint8_t byte : raw) {
        fmt::format_to(std::back_inserter(out), "{:02x}", byte);
    }
    return out;
}

}  // namespace muster::net
