#pragma once

#include <cstdint>

#include <boost/json/object.hpp>

#include "shadow/shadow_document.h"

namespace muster {

// Merge, timestamps and difference of the values in a shadow's section (DESIGN 3.5, rules 1, 2, 4, 7, 10, 11).

/// Merges `change` into the section; a null removes its key, an array replaces as a whole.
void merge_section(ShadowSection& section, const boost::json::object& change, std::int64_t now_s);

/// The metadata of `state`: {"timestamp":now} for each leaf, in the shape of the state as AWS has it (an array has one
/// for each element). Keys that are null are left out.
[[nodiscard]] boost::json::object stamp_of(const boost::json::object& state, std::int64_t now_s);

/// What of `desired` is not (so) in `reported`, with the timestamps from `metadata` when that is given. An array is one
/// value.
[[nodiscard]] ShadowSection difference(const boost::json::object& desired, const boost::json::object& reported,
                                       const boost::json::object* metadata);

}  // namespace muster
