#include "contract/share_assignments.h"

#include <cstdint>

#include "base/assert.h"
#include "base/bytes.h"

namespace muster {
namespace {

constexpr std::uint8_t version = 1;
constexpr char is_incomplete = 1;
constexpr std::size_t front_bytes = 2;
constexpr std::size_t entry_frame_bytes = 3;

struct Entry {
    std::string_view gateway;
    std::string_view group;
};

Entry read_entry(ByteReader& reader) {
    const auto gateway_bytes = reader.number<std::uint8_t>();
    const auto group_bytes = reader.number<std::uint16_t>();
    const std::string_view gateway = reader.raw(gateway_bytes);
    return {gateway, reader.raw(group_bytes)};
}

}  // namespace

bool ShareAssignments::add(std::string_view group, std::string_view gateway) {
    MUSTER_ASSERT(gateway.size() <= UINT8_MAX);
    ByteWriter writer(bytes_);
    if (bytes_.empty()) {
        writer.number(version);
        writer.number(std::uint8_t{0});
    }
    if (bytes_.size() + entry_frame_bytes + gateway.size() + group.size() > share_assignments_bytes_max) {
        bytes_[1] = is_incomplete;
        return false;
    }
    writer.number(static_cast<std::uint8_t>(gateway.size()));
    writer.number(static_cast<std::uint16_t>(group.size()));
    writer.raw(gateway);
    writer.raw(group);
    return true;
}

Result<ShareAssignmentsView> ShareAssignmentsView::parse(std::string_view bytes) {
    ShareAssignmentsView view;
    if (bytes.empty()) {
        return view;
    }
    ByteReader reader(bytes);
    if (reader.number<std::uint8_t>() != version) {
        return fail(ErrorCode::malformed, "share assignments have an unknown version");
    }
    const auto flags = reader.number<std::uint8_t>();
    if (!reader.ok() || flags > is_incomplete) {
        return fail(ErrorCode::malformed, "share assignments have an unknown flag");
    }
    view.entries_ = bytes.substr(front_bytes);
    view.is_complete_ = flags == 0;
    while (!reader.at_end()) {
        (void)read_entry(reader);
    }
    if (!reader.ok()) {
        return fail(ErrorCode::malformed, "share assignments have the wrong length");
    }
    return view;
}

std::optional<std::string_view> ShareAssignmentsView::gateway_of(std::string_view group) const {
    for (ByteReader reader(entries_); !reader.at_end();) {
        if (const Entry entry = read_entry(reader); entry.group == group) {
            return entry.gateway;
        }
    }
    return std::nullopt;
}

std::size_t ShareAssignmentsView::groups_of(std::string_view gateway) const {
    std::size_t count = 0;
    for (ByteReader reader(entries_); !reader.at_end();) {
        if (read_entry(reader).gateway == gateway) {
            ++count;
        }
    }
    return count;
}

}  // namespace muster
