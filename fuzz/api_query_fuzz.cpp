// Input: the request target of an API call. Its path, its query and its cursor are decoded as the server decodes them;
// a cursor that is taken must be the very one that its id gives.
#include <cstdint>
#include <string>
#include <string_view>

#include "api/access.h"
#include "api/query_string.h"
#include "api/router.h"
#include "api/static_files.h"
#include "base/assert.h"

using namespace muster;

namespace {

const Router& router() {
    static const Router table({{"GET", "/api/v1/devices/{id}", Role::viewer, {}},
                               {"GET", "/api/v1/devices/{id}/history", Role::viewer, {}},
                               {"PUT", "/api/v1/devices/{id}", Role::viewer, {}}});
    return table;
}

void check_cursor(std::string_view text) {
    if (const auto after = decode_cursor(text)) {
        MUSTER_ASSERT(encode_cursor(*after) == text);
    }
}

void check_query(std::string_view text) {
    const auto query = QueryString::parse(text);
    if (!query) {
        return;
    }
    MUSTER_ASSERT(query->parameters().size() <= QueryString::parameters_max);
    QueryReader reader(*query);
    const auto limit = reader.integer("limit", 100, 1, 1000);
    MUSTER_ASSERT(limit >= 1 && limit <= 1000);
    check_cursor(reader.text("cursor", 512));
    (void)reader.finish();
}

void check_path(std::string_view path) {
    const auto match = router().find("GET", path);
    MUSTER_ASSERT(match.route == nullptr || match.parameters.size() == 1);
    HttpRequest request;
    request.method = "GET";
    request.path = path;
    MUSTER_ASSERT(StaticFiles(std::span<const BundledFile>()).get(request).status != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto question = text.find('?');
    const std::string_view path = text.substr(0, question);
    if (path.starts_with('/')) {
        check_path(path);
    }
    check_query(question == std::string_view::npos ? text : text.substr(question + 1));
    check_cursor(text);
    (void)is_host_allowed(text, {});
    (void)is_origin_allowed(text, text);
    (void)parse_listen_address(text);
    return 0;
}
