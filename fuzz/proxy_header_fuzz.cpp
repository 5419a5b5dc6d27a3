// Input: what a peer sends first, read as the gateway does: the fixed part, then exactly the rest.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "net/proxy_header.h"

using namespace muster::net;

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(bytes), size);
    std::size_t have = 0;
    while (true) {
        const auto wanted = proxy_header_bytes(all.substr(0, have));
        if (!wanted) {
            MUSTER_ASSERT(!wanted.error().text.empty());
            return 0;
        }
        MUSTER_ASSERT(*wanted >= have && *wanted <= proxy_header_bytes_max);
        if (*wanted == have) {
            break;
        }
        if (have == all.size()) {
            MUSTER_ASSERT(!parse_proxy_header(all));
            return 0;
        }
        have = std::min(*wanted, all.size());
    }
    const auto header = parse_proxy_header(all.substr(0, have));
    if (header && header->client) {
        const auto again = Address::parse(header->client->to_string());
        MUSTER_ASSERT(again && again->to_string() == header->client->to_string());
    }
    return 0;
}
