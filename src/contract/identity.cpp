#include "contract/identity.h"

#include <algorithm>

namespace muster {
namespace {

constexpr std::size_t region_bytes_max = 128;
constexpr std::size_t region_depth_max = 8;

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_region_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

bool is_valid_device_id(std::string_view id) {
    return !id.empty() && id.size() <= device_id_bytes_max && std::all_of(id.begin(), id.end(), [](char c) {
        return is_alphanumeric(c) || c == ':' || c == '_' || c == '.' || c == '-';
    });
}

bool is_valid_region(std::string_view region) {
    if (region.empty() || region.size() > region_bytes_max) {
        return false;
    }
    std::size_t depth = 0;
    while (true) {
        const std::size_t slash = region.find('/');
        const std::string_view segment = region.substr(0, slash);
        if (segment.empty() || !std::all_of(segment.begin(), segment.end(), is_region_char) ||
            ++depth > region_depth_max) {
            return false;
        }
        if (slash == std::string_view::npos) {
            return true;
        }
        region.remove_prefix(slash + 1);
    }
}

}  // namespace muster
