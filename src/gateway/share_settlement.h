#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "contract/share_assignments.h"
#include "gateway/shared_group.h"

namespace muster {

/// Settles the shared subscriptions of a message where it is published: decides once which gateway of the fleet
/// delivers to each, and keeps that for the relayed record. One thread; reused from message to message.
class ShareDecision final {
 public:
    explicit ShareDecision(const std::string& own_name) : own_name_(own_name) {}

    void clear();
    [[nodiscard]] bool is_here(const SharedGroup& group);
    /// For shares_header_name.
    [[nodiscard]] std::string_view header() const { return assignments_.bytes(); }
    /// Groups that were left to other gateways.
    [[nodiscard]] std::size_t elsewhere() const { return elsewhere_; }
    /// Groups without members here that the header had no room for: they miss the message.
    [[nodiscard]] std::size_t missed() const { return missed_; }

 private:
    const std::string& own_name_;
    ShareAssignments assignments_;
    std::size_t elsewhere_ = 0;
    std::size_t missed_ = 0;
};

/// Settles the shared subscriptions of a message that came over the bus: as its publisher's gateway has decided; those
/// of which that one did not know as all gateways agree. For one message.
class ShareReading final {
 public:
    /// `message`: the same number at every gateway.
    ShareReading(std::string_view own_name, std::string_view writer, const ShareAssignmentsView& assigned,
                 std::uint64_t message)
        : own_name_(own_name), writer_(writer), assigned_(assigned), message_(message) {}

    [[nodiscard]] bool is_here(const SharedGroup& group);
    /// Groups whose message is for this gateway.
    [[nodiscard]] std::size_t taken() const { return taken_; }
    /// Groups whose message is for this gateway, where they have no member any more.
    [[nodiscard]] std::size_t missed() const { return assigned_.groups_of(own_name_) - assigned_taken_; }

 private:
    const std::string_view own_name_;
    const std::string_view writer_;
    const ShareAssignmentsView assigned_;
    const std::uint64_t message_;
    std::size_t taken_ = 0;
    std::size_t assigned_taken_ = 0;
};

}  // namespace muster
