#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "mqtt/message.h"
#include "mqtt/topic.h"

namespace muster::mqtt {

/// Retained messages by topic, found by filter: a trie of topic levels. One hash table holds the edges of all nodes,
/// and each node chains its children, so that an exact filter costs one look-up a level and a wildcard walks only what
/// it can match. Bounded by `topics_max` and topic_levels_max. Not thread-safe: its owner locks.
class RetainedTree final {
 public:
    struct Options {
        std::uint64_t seed = 0;  ///< secret and random in production
        std::size_t topics_max = 2'000'000;
    };
    enum class Outcome : std::uint8_t { added, replaced, too_deep, full };

    explicit RetainedTree(Options options);

    /// `topic` must be valid (is_valid_topic_name), `message` not null.
    Outcome set(std::string_view topic, MessagePtr message);
    /// False when there was none.
    bool erase(std::string_view topic);
    [[nodiscard]] MessagePtr find(std::string_view topic) const;

    /// Calls `visit` for every message whose topic matches the (valid) filter, until it returns false. The tree must
    /// not be changed meanwhile.
    void match(std::string_view filter, FunctionRef<bool(const MessagePtr&)> visit) const;

    [[nodiscard]] std::size_t topics() const { return topics_; }

 private:
    static constexpr std::uint32_t none = 0xFFFF'FFFF;
    struct Node {
        std::string level;
        MessagePtr message;
        std::uint32_t parent = none;
        std::uint32_t first_child = none;
        std::uint32_t next = none;  ///< sibling, or the next free node
        std::uint32_t previous = none;
    };

    using Visit = FunctionRef<bool(const MessagePtr&)>;

    [[nodiscard]] bool match_below(std::uint32_t node, std::string_view filter, Visit visit) const;
    [[nodiscard]] bool visit_all(std::uint32_t node, Visit visit) const;
    [[nodiscard]] std::uint32_t find_child(std::uint32_t parent, std::string_view level) const;
    [[nodiscard]] std::uint32_t add_child(std::uint32_t parent, std::string_view level);
    [[nodiscard]] std::uint32_t find_node(std::string_view topic) const;
    void remove_if_unused(std::uint32_t node);
    [[nodiscard]] std::uint64_t hash_edge(std::uint32_t parent, std::string_view level) const;
    void link_edge(std::uint32_t node);
    void unlink_edge(std::uint32_t node);
    void grow();

    const Options options_;
    std::deque<Node> nodes_;            ///< 0 is the root
    std::vector<std::uint32_t> edges_;  ///< open addressing, node numbers
    std::uint32_t free_ = none;
    std::size_t used_nodes_ = 1;
    std::size_t topics_ = 0;
};

}  // namespace muster::mqtt
