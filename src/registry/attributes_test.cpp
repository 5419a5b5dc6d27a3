#include "registry/attributes.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(Attributes, the_operators_word_wins_field_by_field) {
    DeviceAttributes declared;
    declared.region = "in/ka";
    declared.model = "m1";
    declared.heartbeat_timeout_s = 30;
    DeviceAttributes by_operator;
    by_operator.region = "de/berlin";
    const DeviceAttributes merged = overlaid(by_operator, declared);
    EXPECT_EQ(merged.region, "de/berlin");
    EXPECT_EQ(merged.model, "m1");
    EXPECT_EQ(merged.heartbeat_timeout_s, 30U);
}

TEST(Attributes, a_place_is_one_field) {
    DeviceAttributes declared;
    declared.latitude = 12.5;
    declared.longitude = 77.5;
    DeviceAttributes on_the_equator;
    on_the_equator.longitude = 6.6;
    const DeviceAttributes merged = overlaid(on_the_equator, declared);
    EXPECT_EQ(merged.latitude, 0);
    EXPECT_EQ(merged.longitude, 6.6);
}

TEST(Attributes, nothing_laid_over_changes_nothing) {
    DeviceAttributes declared;
    declared.firmware = "1.2";
    EXPECT_EQ(overlaid(DeviceAttributes{}, declared), declared);
}

}  // namespace
}  // namespace muster
