// Input: what a gateway reads of others from the bus, the JSON of their routes or packed share assignments. Routes that
// are taken mean the same when they are written again.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "contract/gateway_routes.h"
#include "contract/share_assignments.h"

using namespace muster;

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto routes = parse_gateway_routes(bytes)) {
        const auto again = parse_gateway_routes(to_json(*routes));
        MUSTER_ASSERT(again && to_json(*again) == to_json(*routes));
    }
    if (const auto assigned = ShareAssignmentsView::parse(bytes)) {
        MUSTER_ASSERT(assigned->groups_of("gw-1") <= size);
        const auto gateway = assigned->gateway_of("g/news/#");
        MUSTER_ASSERT(!gateway || assigned->groups_of(*gateway) > 0);
    }
    return 0;
}
