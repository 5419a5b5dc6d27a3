#pragma once

#include <cstdint>
#include <string_view>

#include "contract/event.h"

namespace muster {

/// One record of muster.events, its header decoded: what the fold is fed with. Views are of the caller.
struct EventRecord {
    EventHeader header;
    std::string_view key;
    std::string_view value;
    std::int64_t offset = 0;
};

}  // namespace muster
