// Input: a stream of records of few devices and gateways, one after the other:
//   u8 kind | u8 device | u8 gateway | u8 cause | u8 epoch | u8 incarnation | u16 step of the gateway's clock, ms,
//   signed u8 size | payload of so many bytes
// or, where the kind's top bit is set, `size` bytes in place of a packed header. Whatever comes, the fold goes on, its
// documents follow from one another, its counts equal a recount, and a restart from its snapshot changes nothing.
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/bytes.h"
#include "processor/partition_fold.h"

using namespace muster;

namespace {

constexpr std::array<std::string_view, 4> devices{"a", "b", "a-device-with-a-long-name", "not/valid"};
constexpr std::array<std::string_view, 3> gateways{"gw-a", "gw-b", ""};

FoldOptions short_times() {
    FoldOptions options;
    options.heartbeat_timeout = Millis(4000);
    options.gateways = {Millis(3000), Millis(5000), Millis(10'000)};
    return options;
}

struct Stream {
    ByteReader in;
    std::array<std::int64_t, gateways.size()> clocks_ms{};
    std::uint64_t sequence = 0;

    /// Folds the next record. False at the end.
    bool step(PartitionFold& fold, Offset offset, FoldOutput& out) {
        const auto kind = in.number<std::uint8_t>();
        const std::string_view device = devices[in.number<std::uint8_t>() % devices.size()];
        const std::size_t gateway = in.number<std::uint8_t>() % gateways.size();
        EventHeader header;
        header.kind = static_cast<EventKind>(kind % 10U);
        header.cause = static_cast<Cause>(in.number<std::uint8_t>() % 16U);
        header.epoch = in.number<std::uint8_t>();
        header.incarnation = in.number<std::uint8_t>();
        clocks_ms[gateway] += in.number<std::int16_t>();
        header.received = from_epoch_ms(1'700'000'000'000 + clocks_ms[gateway]);
        header.sequence = ++sequence;
        header.keep_alive_s = 2;
        header.gateway = gateways[gateway];
        const std::string_view payload = in.raw(in.number<std::uint8_t>());
        if (!in.ok()) {
            return false;
        }
        if (kind >= 0x80U) {
            fold.apply(payload, device, payload, offset, out);
        } else {
            fold.apply(EventRecord{header, device, payload, offset}, out);
        }
        return true;
    }
};

void check_documents(const FoldOutput& out, std::map<std::string, StatusDocument>& last) {
    for (const StatusDocument& document : out.documents) {
        StatusDocument& before = last[document.id];
        MUSTER_ASSERT(document.previous == before.state);
        MUSTER_ASSERT(before.id.empty() || before.offset < document.offset);
        MUSTER_ASSERT(document.epoch >= before.epoch);
        before = document;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    Stream stream{ByteReader(std::string_view(reinterpret_cast<const char*>(bytes), size))};
    auto fold = std::make_unique<PartitionFold>(short_times());
    std::map<std::string, StatusDocument> last;
    FoldOutput out;
    for (Offset offset = 0; stream.step(*fold, offset, out); ++offset) {
        check_documents(out, last);
        for (const RegionReport& report : out.regions) {
            if (report.region.empty()) {
                MUSTER_ASSERT(report.counts.total() == static_cast<std::int64_t>(last.size()));
            }
        }
        out.clear();
    }
    for (const auto& [id, document] : last) {
        MUSTER_ASSERT(fold->document(id)->state == document.state);
    }
    const std::string snapshot = fold->snapshot();
    const auto restored = PartitionFold::restore(short_times(), snapshot);
    MUSTER_ASSERT(restored && (*restored)->snapshot() == snapshot);
    return 0;
}
