// Input: u8 what, then the bytes of a row of the presence history: an even `what` is an entry, an odd one a baseline
// chunk, whose checksum is set right first. What is taken comes out the same when it is written again.
#include <cstring>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/crc32c.h"
#include "history/presence_codec.h"

using namespace muster;

namespace {

void try_entry(std::string_view bytes) {
    const Timestamp time = from_epoch_ms(1'700'000'000'000);
    const std::string key = presence_key("device", time, 7);
    const auto entry = decode_presence(key, bytes);
    if (!entry || entry->since == Timestamp{}) {
        return;
    }
    const auto again = decode_presence(key, encode_presence(*entry));
    MUSTER_ASSERT(again && again->state == entry->state && again->cause == entry->cause &&
                  again->since == entry->since && again->region == entry->region && again->epoch == entry->epoch &&
                  again->gateway == entry->gateway && again->detected_in_ms == entry->detected_in_ms);
}

void try_chunk(std::string bytes) {
    if (bytes.size() > 8) {
        const std::uint32_t checksum = crc32c(std::string_view(bytes).substr(8));
        std::memcpy(bytes.data() + 4, &checksum, sizeof(checksum));
    }
    PresenceChunk chunk;
    if (!chunk.decode(bytes)) {
        MUSTER_ASSERT(chunk.size() == 0);
        return;
    }
    PresenceChunkBuilder builder;
    for (std::size_t i = 0; i < chunk.size(); ++i) {
        builder.add(chunk.device(i));
    }
    PresenceChunk again;
    MUSTER_ASSERT(again.decode(builder.take()) && again.size() == chunk.size());
    for (std::size_t i = 0; i < chunk.size(); ++i) {
        const PastPresence one = chunk.device(i);
        const PastPresence other = again.device(i);
        MUSTER_ASSERT(one.device == other.device && one.state == other.state && one.since == other.since &&
                      one.region == other.region && one.overlays == other.overlays && one.cause == other.cause);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    data[0] % 2 == 0 ? try_entry(bytes) : try_chunk(std::string(bytes));
    return 0;
}
