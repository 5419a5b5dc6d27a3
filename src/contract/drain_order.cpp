#include "contract/drain_order.h"

#include <algorithm>

#include <fmt/format.h>

#include "contract/json.h"

namespace muster {
namespace {

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

Result<DrainOrder> parse_drain_order(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    DrainOrder order;
    for (const auto& member : *object) {
        const std::string_view name = member.key();
        const boost::json::value& value = member.value();
        if (name == "undo" && value.is_bool()) {
            order.undo = value.get_bool();
        } else if (name == "moved" && value.is_bool()) {
            order.moved = value.get_bool();
        } else if (name == "rate_per_s" && value.is_int64() && value.get_int64() >= 1 &&
                   value.get_int64() <= drain_rate_per_s_max) {
            order.rate_per_s = static_cast<std::uint32_t>(value.get_int64());
        } else if (name == "server_reference" && value.is_string() &&
                   value.get_string().size() <= server_reference_bytes_max && is_printable(value.get_string())) {
            order.server_reference = value.get_string();
        } else {
            return fail(ErrorCode::invalid_argument,
                        "rate_per_s must be 1 to 1000000, server_reference a printable text of at most 256 bytes, "
                        "moved and undo true or false",
                        std::string(name));
        }
    }
    return order;
}

std::string to_json(const DrainOrder& order) {
    std::string reference;
    json::append_string(reference, order.server_reference);
    return fmt::format(R"({{"undo":{},"moved":{},"rate_per_s":{},"server_reference":{}}})", order.undo, order.moved,
                       order.rate_per_s, reference);
}

}  // namespace muster
