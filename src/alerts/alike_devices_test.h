#pragma once

#include <string>

#include <gtest/gtest.h>

#include "alerts/region_rules.h"

namespace muster {

inline constexpr int alike_devices = 40;

inline std::string name_of_device(int i) {
    return "d-" + std::to_string(i);
}

/// Forty devices of one model and region, all online.
inline void add_alike_devices(RegionRules& rules) {
    for (int i = 0; i < alike_devices; ++i) {
        StatusDocument document;
        document.id = name_of_device(i);
        document.state = PresenceState::online;
        document.attributes.region = "in";
        document.attributes.model = "m-1";
        document.offset = i + 1;
        EXPECT_TRUE(rules.on_status(document));
    }
}

}  // namespace muster
