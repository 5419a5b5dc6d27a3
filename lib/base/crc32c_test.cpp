#include "base/crc32c.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(Crc32c, gives_the_check_values_of_rfc_3720) {
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
    EXPECT_EQ(crc32c(""), 0U);
}

TEST(Crc32c, can_go_on_from_what_came_before) {
    EXPECT_EQ(crc32c("456789", crc32c("123")), crc32c("123456789"));
}

}  // namespace
}  // namespace muster
