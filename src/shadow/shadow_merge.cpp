#include "shadow/shadow_merge.h"

#include <algorithm>

#include <boost/json.hpp>

namespace muster {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

value stamp_of_value(const value& node, std::int64_t now_s) {
    if (const object* members = node.if_object(); members != nullptr) {
        return stamp_of(*members, now_s);
    }
    if (const array* list = node.if_array(); list != nullptr) {
        array stamps;
        stamps.reserve(list->size());
        for (const value& item : *list) {
            stamps.push_back(stamp_of_value(item, now_s));
        }
        return stamps;
    }
    return object{{"timestamp", now_s}};
}

/// A value that is new where it goes: nulls in it delete nothing and are not kept.
value without_nulls(const value& node) {
    const object* members = node.if_object();
    if (members == nullptr) {
        return node;
    }
    object kept;
    for (const auto& member : *members) {
        if (!member.value().is_null()) {
            kept.emplace(member.key(), without_nulls(member.value()));
        }
    }
    return kept;
}

void merge(object& state, object& metadata, const object& change, std::int64_t now_s) {
    for (const auto& member : change) {
        if (member.value().is_null()) {
            state.erase(member.key());
            metadata.erase(member.key());
            continue;
        }
        value& current = state[member.key()];
        value& stamps = metadata[member.key()];
        if (current.is_object() && member.value().is_object()) {
            if (!stamps.is_object()) {
                stamps.emplace_object();
            }
            merge(current.get_object(), stamps.get_object(), member.value().get_object(), now_s);
            continue;
        }
        current = without_nulls(member.value());
        stamps = stamp_of_value(current, now_s);
    }
}

bool same(const value& left, const value& right);

bool same_object(const object& left, const object& right) {
    return left.size() == right.size() && std::all_of(left.begin(), left.end(), [&](const auto& member) {
               const value* other = right.if_contains(member.key());
               return other != nullptr && same(member.value(), *other);
           });
}

/// Equality of JSON values; numbers by value, so that a device that reports 21.0 has done what 21 asked for.
bool same(const value& left, const value& right) {
    if (left.is_number() && right.is_number() && (left.is_double() || right.is_double())) {
        return left.to_number<double>() == right.to_number<double>();
    }
    if (left.is_array() && right.is_array()) {
        const array& a = left.get_array();
        const array& b = right.get_array();
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
    }
    if (left.is_object() && right.is_object()) {
        return same_object(left.get_object(), right.get_object());
    }
    return left == right;
}

void add(ShadowSection& out, boost::json::string_view key, value state, const value* stamps) {
    out.state.emplace(key, std::move(state));
    if (stamps != nullptr) {
        out.metadata.emplace(key, *stamps);
    }
}

}  // namespace

void merge_section(ShadowSection& section, const object& change, std::int64_t now_s) {
    merge(section.state, section.metadata, change, now_s);
}

object stamp_of(const object& state, std::int64_t now_s) {
    object stamps;
    for (const auto& member : state) {
        if (!member.value().is_null()) {
            stamps.emplace(member.key(), stamp_of_value(member.value(), now_s));
        }
    }
    return stamps;
}

ShadowSection difference(const object& desired, const object& reported, const object* metadata) {
    ShadowSection out;
    for (const auto& member : desired) {
        const value* stamps = metadata == nullptr ? nullptr : metadata->if_contains(member.key());
        const value* other = reported.if_contains(member.key());
        if (other != nullptr && member.value().is_object() && other->is_object()) {
            const object* inner = stamps == nullptr ? nullptr : stamps->if_object();
            ShadowSection below = difference(member.value().get_object(), other->get_object(), inner);
            if (!below.state.empty()) {
                out.metadata.emplace(member.key(), std::move(below.metadata));
                out.state.emplace(member.key(), std::move(below.state));
            }
        } else if (other == nullptr || !same(member.value(), *other)) {
            add(out, member.key(), member.value(), stamps);
        }
    }
    return out;
}

}  // namespace muster
