#include "contract/downlink.h"

#include "base/assert.h"
#include "base/bytes.h"

namespace muster {
namespace {

constexpr std::uint8_t version = 1;

}  // namespace

void encode(const DownlinkHeader& header, std::string& out) {
    MUSTER_ASSERT(header.topic.size() <= UINT16_MAX);
    ByteWriter writer(out);
    writer.number(version);
    writer.number(static_cast<std::uint8_t>(header.kind));
    writer.number(header.qos);
    writer.number(std::uint8_t{0});
    writer.number(header.status);
    writer.number(static_cast<std::uint16_t>(header.topic.size()));
    writer.number(header.epoch);
    writer.number(header.correlation);
    writer.raw(header.topic);
}

Result<DownlinkHeader> decode_downlink_header(std::string_view bytes) {
    ByteReader reader(bytes);
    if (reader.number<std::uint8_t>() != version) {
        return fail(ErrorCode::malformed, "downlink header has an unknown version");
    }
    DownlinkHeader header;
    const auto kind = reader.number<std::uint8_t>();
    header.qos = reader.number<std::uint8_t>();
    (void)reader.number<std::uint8_t>();
    header.status = reader.number<std::uint16_t>();
    const auto topic_bytes = reader.number<std::uint16_t>();
    header.epoch = reader.number<std::uint64_t>();
    header.correlation = reader.number<std::uint64_t>();
    header.topic = reader.raw(topic_bytes);
    if (!reader.ok() || !reader.at_end()) {
        return fail(ErrorCode::malformed, "downlink header has the wrong length");
    }
    if (kind < 1 || kind > static_cast<std::uint8_t>(DownlinkKind::drain) || header.qos > 2) {
        return fail(ErrorCode::malformed, "downlink header has an unknown kind or QoS");
    }
    header.kind = static_cast<DownlinkKind>(kind);
    return header;
}

}  // namespace muster
