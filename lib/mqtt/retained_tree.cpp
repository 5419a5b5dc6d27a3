#include "mqtt/retained_tree.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "mqtt/level_hash.h"

namespace muster::mqtt {

namespace {

constexpr std::uint32_t root = 0;

/// Cuts the first level off; `rest` is null when it was the last.
std::string_view take_level(std::string_view& rest) {
    const std::size_t slash = rest.find('/');
    const std::string_view level = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
    return level;
}

bool is_over(std::string_view rest) {
    return rest.data() == nullptr;
}

}  // namespace

RetainedTree::RetainedTree(Options options) : options_(options), nodes_(1), edges_(16, none) {}

RetainedTree::Outcome RetainedTree::set(std::string_view topic, MessagePtr message) {
    MUSTER_ASSERT(message);
    if (topic_levels(topic) > topic_levels_max) {
        return Outcome::too_deep;
    }
    if (const std::uint32_t node = find_node(topic); node != none && nodes_[node].message) {
        nodes_[node].message = std::move(message);
        return Outcome::replaced;
    }
    if (topics_ >= options_.topics_max) {
        return Outcome::full;
    }
    std::uint32_t node = root;
    while (!is_over(topic)) {
        const std::string_view level = take_level(topic);
        const std::uint32_t child = find_child(node, level);
        node = child != none ? child : add_child(node, level);
    }
    nodes_[node].message = std::move(message);
    ++topics_;
    return Outcome::added;
}

bool RetainedTree::erase(std::string_view topic) {
    const std::uint32_t node = find_node(topic);
    if (node == none || !nodes_[node].message) {
        return false;
    }
    nodes_[node].message.reset();
    --topics_;
    remove_if_unused(node);
    return true;
}

MessagePtr RetainedTree::find(std::string_view topic) const {
    const std::uint32_t node = find_node(topic);
    return node == none ? nullptr : nodes_[node].message;
}

void RetainedTree::match(std::string_view filter, Visit visit) const {
    if (topic_levels(filter) <= topic_levels_max + 1) {
        static_cast<void>(match_below(root, filter, visit));
    }
}

bool RetainedTree::match_below(std::uint32_t node, std::string_view filter, Visit visit) const {
    if (is_over(filter)) {
        return !nodes_[node].message || visit(nodes_[node].message);
    }
    const std::string_view level = take_level(filter);
    if (level == "#") {
        return visit_all(node, visit);
    }
    if (level != "+") {
        const std::uint32_t child = find_child(node, level);
        return child == none || match_below(child, filter, visit);
    }
    for (std::uint32_t child = nodes_[node].first_child; child != none; child = nodes_[child].next) {
        const bool is_hidden = node == root && nodes_[child].level.starts_with('$');
        if (!is_hidden && !match_below(child, filter, visit)) {
            return false;
        }
    }
    return true;
}

bool RetainedTree::visit_all(std::uint32_t node, Visit visit) const {
    if (nodes_[node].message && !visit(nodes_[node].message)) {
        return false;
    }
    for (std::uint32_t child = nodes_[node].first_child; child != none; child = nodes_[child].next) {
        const bool is_hidden = node == root && nodes_[child].level.starts_with('$');
        if (!is_hidden && !visit_all(child, visit)) {
            return false;
        }
    }
    return true;
}

std::uint32_t RetainedTree::find_node(std::string_view topic) const {
    std::uint32_t node = root;
    while (node != none && !is_over(topic)) {
        node = find_child(node, take_level(topic));
    }
    return node;
}

std::uint64_t RetainedTree::hash_edge(std::uint32_t parent, std::string_view level) const {
    return hash_level(level, options_.seed + parent * 0x9E37'79B9'7F4A'7C15);
}

std::uint32_t RetainedTree::find_child(std::uint32_t parent, std::string_view level) const {
    const std::size_t mask = edges_.size() - 1;
    for (std::size_t at = hash_edge(parent, level) & mask; edges_[at] != none; at = (at + 1) & mask) {
        const Node& child = nodes_[edges_[at]];
        if (child.parent == parent && child.level == level) {
            return edges_[at];
        }
    }
    return none;
}

std::uint32_t RetainedTree::add_child(std::uint32_t parent, std::string_view level) {
    std::uint32_t node = free_;
    if (node != none) {
        free_ = nodes_[node].next;
    } else {
        node = static_cast<std::uint32_t>(nodes_.size());
        MUSTER_ASSERT(node != none);
        nodes_.emplace_back();
    }
    Node& child = nodes_[node];
    child.level = level;
    child.parent = parent;
    child.previous = none;
    child.next = nodes_[parent].first_child;
    if (child.next != none) {
        nodes_[child.next].previous = node;
    }
    nodes_[parent].first_child = node;
    ++used_nodes_;
    if (used_nodes_ * 4 > edges_.size() * 3) {
        grow();
    }
    link_edge(node);
    return node;
}

void RetainedTree::remove_if_unused(std::uint32_t node) {
    while (node != root && !nodes_[node].message && nodes_[node].first_child == none) {
        unlink_edge(node);
        Node& gone = nodes_[node];
        const std::uint32_t parent = gone.parent;
        (gone.previous != none ? nodes_[gone.previous].next : nodes_[parent].first_child) = gone.next;
        if (gone.next != none) {
            nodes_[gone.next].previous = gone.previous;
        }
        gone = Node{};
        gone.next = free_;
        free_ = node;
        --used_nodes_;
        node = parent;
    }
}

void RetainedTree::link_edge(std::uint32_t node) {
    const std::size_t mask = edges_.size() - 1;
    std::size_t at = hash_edge(nodes_[node].parent, nodes_[node].level) & mask;
    while (edges_[at] != none) {
        at = (at + 1) & mask;
    }
    edges_[at] = node;
}

void RetainedTree::unlink_edge(std::uint32_t node) {
    const std::size_t mask = edges_.size() - 1;
    const auto home = [&](std::uint32_t of) { return hash_edge(nodes_[of].parent, nodes_[of].level) & mask; };
    std::size_t hole = home(node);
    while (edges_[hole] != node) {
        hole = (hole + 1) & mask;
    }
    edges_[hole] = none;
    // Move back what the emptied slot cut off from its home.
    for (std::size_t at = (hole + 1) & mask; edges_[at] != none; at = (at + 1) & mask) {
        if (((at - home(edges_[at])) & mask) >= ((at - hole) & mask)) {
            edges_[hole] = std::exchange(edges_[at], none);
            hole = at;
        }
    }
}

void RetainedTree::grow() {
    const std::vector<std::uint32_t> old = std::exchange(edges_, std::vector<std::uint32_t>(edges_.size() * 2, none));
    for (const std::uint32_t node : old) {
        if (node != none) {
            link_edge(node);
        }
    }
}

}  // namespace muster::mqtt
