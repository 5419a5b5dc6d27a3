#pragma once

#include <cstddef>
#include <iterator>
#include <string_view>

namespace muster::mqtt {

/// Items that lie encoded one after the other in bytes that the decoder has validated (or that Muster wrote), decoded
/// as they are walked. A view: lives no longer than its bytes. `Item::take(rest)` cuts one item off the front of
/// `rest`.
template <class Item>
class EncodedRange {
 public:
    class Iterator {
     public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Item;
        using difference_type = std::ptrdiff_t;
        using pointer = const Item*;
        using reference = const Item&;

        explicit Iterator(std::string_view rest) : rest_(rest) { advance(); }
        const Item& operator*() const { return item_; }
        const Item* operator->() const { return &item_; }
        Iterator& operator++() {
            advance();
            return *this;
        }
        void operator++(int) { advance(); }
        bool operator==(std::default_sentinel_t) const { return at_end_; }

     private:
        void advance() {
            at_end_ = rest_.empty();
            if (!at_end_) {
                item_ = Item::take(rest_);
            }
        }

        std::string_view rest_;
        Item item_{};
        bool at_end_ = false;
    };

    EncodedRange() = default;
    /// `bytes` must hold whole, valid items.
    explicit EncodedRange(std::string_view bytes) : bytes_(bytes) {}

    [[nodiscard]] Iterator begin() const { return Iterator(bytes_); }
    [[nodiscard]] std::default_sentinel_t end() const { return {}; }
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    /// As they stand on the wire.
    [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
    std::string_view bytes_;
};

}  // namespace muster::mqtt
