#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace muster {

/// A third record header of muster.messages (beside those of event.h): which gateway delivers the message to each
/// shared subscription that the publisher's gateway knew of and that matches. A shared subscription that is not listed
/// came to be in the meantime, and its gateways agree without the publisher's.
inline constexpr std::string_view shares_header_name = "shares";
inline constexpr std::size_t share_assignments_bytes_max = 16UL * 1024;

// Layout, little-endian:
//   0 u8 version = 1 | 1 u8 flags (bit 0: not complete) | then each: u8 gateway bytes | u16 name bytes | gateway | name
/// Writes the header of one message after the other; reuses its memory. Bounded by share_assignments_bytes_max.
class ShareAssignments final {
 public:
    void clear() { bytes_.clear(); }
    /// False when there is no room; then is_complete is false for its readers: what is not listed is nobody's.
    [[nodiscard]] bool add(std::string_view group, std::string_view gateway);
    [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
    std::string bytes_;
};

/// Reads the header; a view of its bytes.
class ShareAssignmentsView final {
 public:
    ShareAssignmentsView() = default;
    /// Empty bytes: nothing is listed. malformed: wrong version, unknown flag, short or surplus bytes.
    [[nodiscard]] static Result<ShareAssignmentsView> parse(std::string_view bytes);

    [[nodiscard]] bool is_complete() const { return is_complete_; }
    /// The gateway that delivers to the group.
    [[nodiscard]] std::optional<std::string_view> gateway_of(std::string_view group) const;
    /// How many groups are this gateway's.
    [[nodiscard]] std::size_t groups_of(std::string_view gateway) const;

 private:
    std::string_view entries_;
    bool is_complete_ = true;
};

}  // namespace muster
