#include "mqtt/subscription_tree.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <unordered_map>
#include <utility>

#include "base/assert.h"
#include "mqtt/level_hash.h"

namespace muster::mqtt {

// Order of a look-up: hash_levels() cuts the topic once; each shape that fits its number of levels takes the sum of the
// hashes of those levels that are literal in it, finds the one filter with that sum, and compares the text.

/// More than one subscriber of a filter; found by handle once there are many, so that a million sessions on one filter
/// can leave one by one.
struct SubscriptionTree::ManySubscribers {
    static constexpr std::size_t indexed_from = 16;

    std::vector<Subscriber> list;
    std::unordered_map<std::uint64_t, std::size_t> index;  ///< empty while the list is short

    [[nodiscard]] std::size_t find(std::uint64_t handle) const {
        if (!index.empty()) {
            const auto found = index.find(handle);
            return found == index.end() ? list.size() : found->second;
        }
        const auto found =
            std::find_if(list.begin(), list.end(), [handle](const Subscriber& one) { return one.handle == handle; });
        return static_cast<std::size_t>(found - list.begin());
    }
    void add(const Subscriber& subscriber) {
        list.push_back(subscriber);
        if (!index.empty()) {
            index.emplace(subscriber.handle, list.size() - 1);
        } else if (list.size() >= indexed_from) {
            for (std::size_t at = 0; at < list.size(); ++at) {
                index.emplace(list[at].handle, at);
            }
        }
    }
    void remove(std::size_t at) {
        if (!index.empty()) {
            index.erase(list[at].handle);
        }
        if (at + 1 != list.size()) {
            list[at] = list.back();
            if (!index.empty()) {
                index[list[at].handle] = at;
            }
        }
        list.pop_back();
        if (list.capacity() > 4 * list.size() + indexed_from) {
            list.shrink_to_fit();
        }
    }
};

/// One filter and its subscribers, in one heap block with its text behind it.
struct SubscriptionTree::Filter {
    struct Free {
        void operator()(Filter* filter) const {
            filter->~Filter();
            ::operator delete(filter);
        }
    };
    using Ptr = std::unique_ptr<Filter, Free>;

    Subscriber only;                        ///< while `many` is null
    std::unique_ptr<ManySubscribers> many;  ///< from the second subscriber on
    std::uint16_t text_bytes = 0;           ///< the text begins right behind
    static constexpr std::size_t text_offset = sizeof(Subscriber) + sizeof(many) + sizeof(text_bytes);

    [[nodiscard]] static Ptr make(std::string_view text, const Subscriber& subscriber) {
        void* const memory = ::operator new(text_offset + text.size());
        Ptr filter(new (memory) Filter{subscriber, nullptr, static_cast<std::uint16_t>(text.size())});
        std::memcpy(filter->text_begin(), text.data(), text.size());
        return filter;
    }
    [[nodiscard]] char* text_begin() { return reinterpret_cast<char*>(&text_bytes + 1); }
    [[nodiscard]] std::string_view text() const { return {reinterpret_cast<const char*>(&text_bytes + 1), text_bytes}; }

    /// True when added, false when replaced.
    bool put(const Subscriber& subscriber) {
        if (!many && only.handle != subscriber.handle) {
            many = std::make_unique<ManySubscribers>();
            many->add(only);
        }
        if (!many) {
            only = subscriber;
            return false;
        }
        const std::size_t at = many->find(subscriber.handle);
        if (at < many->list.size()) {
            many->list[at] = subscriber;
            return false;
        }
        many->add(subscriber);
        return true;
    }
    [[nodiscard]] bool remove(std::uint64_t handle) {
        if (!many) {
            return only.handle == handle;
        }
        const std::size_t at = many->find(handle);
        if (at == many->list.size()) {
            return false;
        }
        many->remove(at);
        return true;
    }
    [[nodiscard]] bool has(std::uint64_t handle) const {
        return many ? many->find(handle) < many->list.size() : only.handle == handle;
    }
    /// After remove() said yes.

    [[nodiscard]] bool is_unused() const { return !many || many->list.empty(); }

    void visit(FunctionRef<void(const Subscriber&)> visit_one) const {
        if (!many) {
            visit_one(only);
            return;
        }
        for (const Subscriber& subscriber : many->list) {
            visit_one(subscriber);
        }
    }
};

/// A topic or filter cut into levels and hashed.
struct SubscriptionTree::LevelHashes {
    std::size_t levels = 0;  ///< without a '#' at the end
    std::uint32_t plus = 0;  ///< one bit a level that is '+'; 0 for topics
    bool ends_in_hash = false;
    /// sums[n] = hash of the first n levels, taken as literals
    std::array<std::uint64_t, topic_levels_max + 1> sums;
    std::array<std::uint64_t, topic_levels_max> literal;

    /// Of the first n levels, leaving out those of the mask.
    [[nodiscard]] std::uint64_t key(std::size_t n, std::uint32_t without) const {
        std::uint64_t sum = sums[n];
        for (; without != 0; without &= without - 1) {
            sum -= literal[static_cast<std::size_t>(std::countr_zero(without))];
        }
        return sum;
    }
};

/// All filters of one shape: an open-addressing table (linear probing, no tombstones) keyed by the sum of the hashes of
/// the literal levels. One byte of the key a slot stands apart, so that a topic nobody wants costs one small memory
/// access; the key stands beside the pointer, so that growth does not touch the filters.
class SubscriptionTree::Shape {
 public:
    Shape(std::size_t levels, std::uint32_t plus) : levels_(levels), plus_(plus), tags_(slots_min), slots_(slots_min) {}

    [[nodiscard]] std::uint32_t plus() const { return plus_; }
    [[nodiscard]] bool empty() const { return used_ == 0; }
    [[nodiscard]] std::uint64_t key_of(const LevelHashes& topic) const { return topic.key(levels_, plus_); }

    /// The filter with this key for whose text `is_it` says yes.
    template <class IsIt>
    [[nodiscard]] Filter* find(std::uint64_t key, IsIt&& is_it) const {
        for (std::size_t at = home(key); tags_[at] != no_tag; at = next(at)) {
            if (tags_[at] == tag_of(key) && slots_[at].key == key && is_it(slots_[at].filter->text())) {
                return slots_[at].filter.get();
            }
        }
        return nullptr;
    }
    void insert(std::uint64_t key, Filter::Ptr filter) {
        if ((used_ + 1) * 4 > slots_.size() * 3) {
            resize(slots_.size() * 2);
        }
        place(Slot{key, std::move(filter)});
        ++used_;
    }
    void erase(std::uint64_t key, const Filter* filter) {
        std::size_t hole = home(key);
        while (slots_[hole].filter.get() != filter) {
            MUSTER_ASSERT(tags_[hole] != no_tag);
            hole = next(hole);
        }
        slots_[hole] = {};
        tags_[hole] = no_tag;
        close(hole);
        --used_;
        if (slots_.size() > slots_min && used_ * 8 < slots_.size()) {
            resize(slots_.size() / 2);
        }
    }

 private:
    struct Slot {
        std::uint64_t key = 0;
        Filter::Ptr filter;
    };
    static constexpr std::size_t slots_min = 4;
    static constexpr std::uint8_t no_tag = 0;

    [[nodiscard]] static std::uint8_t tag_of(std::uint64_t key) { return static_cast<std::uint8_t>(key >> 56U) | 1U; }
    [[nodiscard]] std::size_t home(std::uint64_t key) const {
        return static_cast<std::size_t>(key ^ (key >> 32U)) & (slots_.size() - 1);
    }
    [[nodiscard]] std::size_t next(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }

    void place(Slot slot) {
        std::size_t at = home(slot.key);
        while (tags_[at] != no_tag) {
            at = next(at);
        }
        tags_[at] = tag_of(slot.key);
        slots_[at] = std::move(slot);
    }
    /// Moves back what an emptied slot cut off from its home.
    void close(std::size_t hole) {
        const std::size_t mask = slots_.size() - 1;
        for (std::size_t at = next(hole); tags_[at] != no_tag; at = next(at)) {
            const std::size_t from_home = (at - home(slots_[at].key)) & mask;
            if (from_home >= ((at - hole) & mask)) {
                slots_[hole] = std::move(slots_[at]);
                tags_[hole] = std::exchange(tags_[at], no_tag);
                hole = at;
            }
        }
    }
    void resize(std::size_t size) {
        std::vector<Slot> old(size);
        old.swap(slots_);
        tags_ = std::vector<std::uint8_t>(size, no_tag);
        for (Slot& slot : old) {
            if (slot.filter) {
                place(std::move(slot));
            }
        }
    }

    const std::size_t levels_;
    const std::uint32_t plus_;
    std::vector<std::uint8_t> tags_;  ///< of the slots; no_tag where a slot is empty
    std::vector<Slot> slots_;         ///< size a power of two, at most three quarters used
    std::size_t used_ = 0;
};

SubscriptionTree::SubscriptionTree(Options options) : options_(options) {}

SubscriptionTree::~SubscriptionTree() = default;

bool SubscriptionTree::hash_levels(std::string_view topic, LevelHashes& out) const {
    out.sums[0] = 0;
    while (true) {
        const auto* slash = static_cast<const char*>(std::memchr(topic.data(), '/', topic.size()));
        const std::size_t size = slash == nullptr ? topic.size() : static_cast<std::size_t>(slash - topic.data());
        const std::string_view level = topic.substr(0, size);
        if (level == "#") {
            out.ends_in_hash = true;
            return true;
        }
        if (out.levels == topic_levels_max) {
            return false;
        }
        // The level's place is part of its hash: a/b is not b/a.
        const std::uint64_t hash = hash_level(level, options_.seed + out.levels * 0x9E37'79B9'7F4A'7C15);
        if (level == "+") {
            out.plus |= std::uint32_t{1} << out.levels;
        }
        out.literal[out.levels] = hash;
        out.sums[out.levels + 1] = out.sums[out.levels] + hash;
        ++out.levels;
        if (slash == nullptr) {
            return true;
        }
        topic.remove_prefix(size + 1);
    }
}

SubscriptionTree::Shape* SubscriptionTree::find_shape(const LevelHashes& filter) const {
    const auto& shapes = (filter.ends_in_hash ? hash_shapes_ : plain_shapes_)[filter.levels];
    const auto found =
        std::find_if(shapes.begin(), shapes.end(), [&](const auto& shape) { return shape->plus() == filter.plus; });
    return found == shapes.end() ? nullptr : found->get();
}

SubscriptionTree::Outcome SubscriptionTree::subscribe(std::string_view filter, const Subscriber& subscriber) {
    LevelHashes levels;
    if (!hash_levels(filter, levels)) {
        return Outcome::too_deep;
    }
    const std::uint64_t key = levels.key(levels.levels, levels.plus);
    Shape* shape = find_shape(levels);
    Filter* const found =
        shape == nullptr ? nullptr : shape->find(key, [&](std::string_view text) { return text == filter; });
    if (subscriptions_ >= options_.subscriptions_max && (found == nullptr || !found->has(subscriber.handle))) {
        return Outcome::full;
    }
    if (found != nullptr) {
        const bool added = found->put(subscriber);
        subscriptions_ += added ? 1 : 0;
        return added ? Outcome::added : Outcome::replaced;
    }
    if (shape == nullptr) {
        if (shapes_ >= options_.shapes_max) {
            return Outcome::shapes_full;
        }
        shape = add_shape(levels);
    }
    shape->insert(key, Filter::make(filter, subscriber));
    ++filters_;
    ++subscriptions_;
    return Outcome::added;
}

bool SubscriptionTree::unsubscribe(std::string_view filter, std::uint64_t handle) {
    LevelHashes levels;
    if (!hash_levels(filter, levels)) {
        return false;
    }
    Shape* const shape = find_shape(levels);
    if (shape == nullptr) {
        return false;
    }
    const std::uint64_t key = levels.key(levels.levels, levels.plus);
    Filter* const found = shape->find(key, [&](std::string_view text) { return text == filter; });
    if (found == nullptr || !found->remove(handle)) {
        return false;
    }
    --subscriptions_;
    if (found->is_unused()) {
        shape->erase(key, found);
        --filters_;
        if (shape->empty()) {
            remove_shape(levels);
        }
    }
    return true;
}

SubscriptionTree::Shape* SubscriptionTree::add_shape(const LevelHashes& filter) {
    auto& shapes = (filter.ends_in_hash ? hash_shapes_ : plain_shapes_)[filter.levels];
    shapes.push_back(std::make_unique<Shape>(filter.levels, filter.plus));
    ++shapes_;
    return shapes.back().get();
}

void SubscriptionTree::remove_shape(const LevelHashes& filter) {
    auto& shapes = (filter.ends_in_hash ? hash_shapes_ : plain_shapes_)[filter.levels];
    std::erase_if(shapes, [&](const auto& shape) { return shape->plus() == filter.plus; });
    --shapes_;
}

void SubscriptionTree::match(std::string_view topic, FunctionRef<void(const Subscriber&)> visit) const {
    LevelHashes levels;
    if (!hash_levels(topic, levels)) {
        return;
    }
    const auto look_up = [&](const Shape& shape) {
        const Filter* const filter =
            shape.find(shape.key_of(levels), [&](std::string_view text) { return topic_matches(text, topic); });
        if (filter != nullptr) {
            filter->visit(visit);
        }
    };
    for (const auto& shape : plain_shapes_[levels.levels]) {
        look_up(*shape);
    }
    for (std::size_t depth = 0; depth <= levels.levels; ++depth) {
        for (const auto& shape : hash_shapes_[depth]) {
            look_up(*shape);
        }
    }
}

void SubscriptionTree::match(std::string_view topic, std::vector<Subscriber>& out) const {
    match(topic, [&out](const Subscriber& subscriber) { out.push_back(subscriber); });
}

}  // namespace muster::mqtt
