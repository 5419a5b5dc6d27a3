#include "contract/connect_detail.h"

#include <boost/json.hpp>

#include "contract/json.h"

namespace muster {
namespace {

constexpr std::size_t member_bytes_max = 64;

}  // namespace

std::string to_json(const ConnectDetail& detail) {
    std::string out = "{\"address\":";
    json::append_string(out, detail.address);
    out.append(",\"protocol\":");
    json::append_string(out, detail.protocol);
    out.push_back('}');
    return out;
}

Result<ConnectDetail> parse_connect_detail(std::string_view text) {
    ConnectDetail detail;
    if (text.empty()) {
        return detail;
    }
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    for (const auto& [key, target] :
         {std::pair<std::string_view, std::string*>{"address", &detail.address}, {"protocol", &detail.protocol}}) {
        if (auto read = json::read(*object, key, *target); !read) {
            return tl::unexpected(read.error());
        }
        if (target->size() > member_bytes_max) {
            return fail(ErrorCode::malformed, "connect detail is longer than 64 bytes", std::string(key));
        }
    }
    return detail;
}

}  // namespace muster
