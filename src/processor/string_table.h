#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace muster {

/// Names that many devices share (gateways, models, regions, …), each kept once and known by its number; number 0 is
/// the empty name. Nothing is ever taken out: bounded by strings_max. Part of the fold; one thread.
class StringTable final {
 public:
    static constexpr std::size_t strings_max = 1U << 20U;
    static constexpr std::uint32_t full = UINT32_MAX;

    StringTable() { (void)intern({}); }

    /// `full` when it is new and the table is at its bound.
    [[nodiscard]] std::uint32_t intern(std::string_view text) {
        const auto found = numbers_.find(text);
        if (found != numbers_.end()) {
            return found->second;
        }
        if (strings_.size() == strings_max) {
            return full;
        }
        const auto number = static_cast<std::uint32_t>(strings_.size());
        numbers_.emplace(strings_.emplace_back(text), number);
        return number;
    }
    [[nodiscard]] const std::string& at(std::uint32_t number) const { return strings_[number]; }
    [[nodiscard]] std::size_t size() const { return strings_.size(); }

 private:
    std::deque<std::string> strings_;  ///< never moves what the map's keys point at
    std::unordered_map<std::string_view, std::uint32_t> numbers_;
};

}  // namespace muster
