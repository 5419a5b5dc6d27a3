#include "shadow/shadow_outbox.h"

#include <boost/json.hpp>

#include "contract/json.h"

namespace muster {
namespace {

Result<Downlink> parse_downlink(const boost::json::value& item, Partition partition) {
    Downlink downlink;
    downlink.partition = partition;
    std::uint16_t kind = 0;
    if (!item.is_object() || !json::read(item.get_object(), "gateway", downlink.gateway) ||
        !json::read(item.get_object(), "device", downlink.device) || !json::read(item.get_object(), "kind", kind) ||
        !json::read(item.get_object(), "status", downlink.status) ||
        !json::read(item.get_object(), "epoch", downlink.epoch) ||
        !json::read(item.get_object(), "correlation", downlink.correlation) ||
        !json::read(item.get_object(), "topic", downlink.topic) ||
        !json::read(item.get_object(), "payload", downlink.payload) || kind < 1 || kind > 3) {
        return fail(ErrorCode::corrupt, "stored downlink is malformed");
    }
    downlink.kind = static_cast<DownlinkKind>(kind);
    return downlink;
}

}  // namespace

std::string to_json(Offset next, const std::vector<const Downlink*>& downlinks) {
    boost::json::array list;
    list.reserve(downlinks.size());
    for (const Downlink* downlink : downlinks) {
        list.push_back({{"gateway", downlink->gateway},
                        {"device", downlink->device},
                        {"kind", static_cast<std::uint16_t>(downlink->kind)},
                        {"status", downlink->status},
                        {"epoch", downlink->epoch},
                        {"correlation", downlink->correlation},
                        {"topic", downlink->topic},
                        {"payload", downlink->payload}});
    }
    return boost::json::serialize(boost::json::object{{"next", next}, {"downlinks", std::move(list)}});
}

Result<ShadowCursor> parse_shadow_cursor(std::string_view text, Partition partition) {
    const auto stored = json::parse_object(text);
    if (!stored) {
        return tl::unexpected(stored.error());
    }
    ShadowCursor cursor;
    const auto* list = stored->if_contains("downlinks");
    if (!json::read(*stored, "next", cursor.next) || list == nullptr || !list->is_array()) {
        return fail(ErrorCode::corrupt, "stored cursor is malformed");
    }
    for (const auto& item : list->get_array()) {
        auto downlink = parse_downlink(item, partition);
        if (!downlink) {
            return tl::unexpected(downlink.error());
        }
        cursor.downlinks.push_back(std::move(*downlink));
    }
    return cursor;
}

}  // namespace muster
