#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "mqtt/packets.h"
#include "mqtt/topic.h"

namespace muster::mqtt {

/// Who subscribed to a filter, and how: what match() hands out.
struct Subscriber {
    std::uint64_t handle = 0;  ///< the caller's name for the session; one subscription a filter and handle
    std::uint32_t subscription_identifier = 0;  ///< v5; 0 = none
    SubscriptionOptions options;
};

/// Which sessions get a message: filters to subscribers.
///
/// Filters are sorted into shapes: the number of levels, which of them are '+', and whether '#' ends it. All filters of
/// one shape stand in one hash table, so a topic is matched by one look-up a shape that fits its number of levels,
/// however many filters there are (tuple space search, Srinivasan et al., 1999; Open vSwitch's classifier). A fleet's
/// filters have a handful of shapes, and a filter without wildcards is merely the simplest one. The number of shapes is
/// bounded.
///
/// One heap block a filter; a filter with one subscriber keeps it inside. Not thread-safe: its owner locks.
class SubscriptionTree final {
 public:
    struct Options {
        std::uint64_t seed = 0;  ///< secret and random in production: keeps outsiders from choosing colliding filters
        std::size_t subscriptions_max = 16'000'000;
        std::size_t shapes_max = 512;
    };
    enum class Outcome : std::uint8_t {
        added,
        replaced,     ///< the handle had this filter already; its options are now the new ones
        too_deep,     ///< more than topic_levels_max levels
        full,         ///< subscriptions_max
        shapes_full,  ///< a shape not seen before, and there are shapes_max already
    };

    explicit SubscriptionTree(Options options);
    ~SubscriptionTree();
    SubscriptionTree(const SubscriptionTree&) = delete;
    SubscriptionTree& operator=(const SubscriptionTree&) = delete;

    /// `filter` must be valid (is_valid_topic_filter).
    Outcome subscribe(std::string_view filter, const Subscriber& subscriber);
    /// False when there was no such subscription.
    bool unsubscribe(std::string_view filter, std::uint64_t handle);

    /// Calls `visit` for every subscription whose filter matches: a handle comes once for each of its matching filters.
    /// The tree must not be changed meanwhile. Topics deeper than topic_levels_max match nothing.
    void match(std::string_view topic, FunctionRef<void(const Subscriber&)> visit) const;
    /// The same, appended to `out`.
    void match(std::string_view topic, std::vector<Subscriber>& out) const;

    [[nodiscard]] std::size_t subscriptions() const { return subscriptions_; }
    [[nodiscard]] std::size_t filters() const { return filters_; }
    [[nodiscard]] std::size_t shapes() const { return shapes_; }

 private:
    struct Filter;
    struct ManySubscribers;
    class Shape;
    struct LevelHashes;

    [[nodiscard]] bool hash_levels(std::string_view topic, LevelHashes& out) const;
    [[nodiscard]] Shape* find_shape(const LevelHashes& filter) const;
    [[nodiscard]] Shape* add_shape(const LevelHashes& filter);
    void remove_shape(const LevelHashes& filter);

    const Options options_;
    /// Shapes by their number of levels ('#' not counted), with and without '#' at the end.
    std::array<std::vector<std::unique_ptr<Shape>>, topic_levels_max + 1> plain_shapes_;
    std::array<std::vector<std::unique_ptr<Shape>>, topic_levels_max + 1> hash_shapes_;
    std::size_t shapes_ = 0;
    std::size_t filters_ = 0;
    std::size_t subscriptions_ = 0;
};

}  // namespace muster::mqtt
