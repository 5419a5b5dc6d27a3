#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace muster {

/// Texts that many devices share (region, model, gateway, metric names), each kept once and counted; number 0 is "". A
/// text goes when its last user goes, so that the pool is bounded by its users. Not thread-safe.
class TextPool final {
 public:
    using Number = std::uint32_t;

    TextPool();
    TextPool(const TextPool&) = delete;
    TextPool& operator=(const TextPool&) = delete;

    [[nodiscard]] std::string_view text(Number number) const { return entries_[number].text; }
    /// The number of a text that is in the pool; nullopt-like `absent` when it is not.
    [[nodiscard]] Number find(std::string_view text) const;
    static constexpr Number absent = UINT32_MAX;

    /// One more user of `text`.
    [[nodiscard]] Number acquire(std::string_view text);
    void release(Number number);
    /// The user of `number` goes over to `text`.
    void replace(Number& number, std::string_view text);

 private:
    struct Entry {
        std::string text;
        std::uint32_t users = 0;
    };

    std::deque<Entry> entries_;  ///< a deque, because the map's keys point into it
    std::vector<Number> free_;
    std::unordered_map<std::string_view, Number> numbers_;
};

}  // namespace muster
