// What a gateway reads of others from the bus: the JSON of their routes and the packed share assignments. Either is
// refused or means the same when it is written again.

#include <cstdlib>
#include <string_view>

#include "contract/gateway_routes.h"
#include "contract/share_assignments.h"

namespace {

void check(bool holds) {
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto routes = muster::parse_gateway_routes(bytes)) {
        const auto again = muster::parse_gateway_routes(muster::to_json(*routes));
        check(again.has_value() && *again == *routes);
    }
    if (const auto assigned = muster::ShareAssignmentsView::parse(bytes)) {
        check(assigned->groups_of("gw-1") <= size);
        const auto gateway = assigned->gateway_of("g/news/#");
        check(!gateway || assigned->groups_of(*gateway) > 0);
    }
    return 0;
}
