#include "base/assert.h"
#include "base/murmur2.h"
#include "bus/bus.h"

namespace muster {

Partition partition_of(std::string_view key, Partition partitions) {
    MUSTER_ASSERT(partitions > 0);
    return static_cast<Partition>((murmur2(key) & 0x7fffffffU) % static_cast<std::uint32_t>(partitions));
}

}  // namespace muster
