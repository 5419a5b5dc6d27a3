#include "net/address_range.h"

#include <gtest/gtest.h>

namespace muster::net {
namespace {

Address address(std::string_view text) {
    return *Address::parse(text);
}

TEST(AddressRange, holds_what_begins_with_its_bits) {
    const AddressRange range = *AddressRange::parse("10.32.0.0/11");
    EXPECT_TRUE(range.contains(address("10.32.0.0:1")));
    EXPECT_TRUE(range.contains(address("10.63.255.255:1")));
    EXPECT_FALSE(range.contains(address("10.64.0.0:1")));
    EXPECT_FALSE(range.contains(address("[::1]:1")));
    EXPECT_TRUE(range.contains(address("[::ffff:10.33.1.1]:1")));
    EXPECT_TRUE(AddressRange::parse("0.0.0.0/0")->contains(address("9.9.9.9:1")));
    EXPECT_TRUE(AddressRange::parse("2001:db8::/32")->contains(address("[2001:db8::5]:1")));
    EXPECT_FALSE(AddressRange::parse("2001:db8::/32")->contains(address("[2001:db9::5]:1")));
}

TEST(AddressRange, an_address_alone_holds_itself) {
    EXPECT_TRUE(AddressRange::parse("::1")->contains(address("[::1]:9")));
    EXPECT_FALSE(AddressRange::parse("127.0.0.1")->contains(address("127.0.0.2:9")));
}

TEST(AddressRange, refuses_what_is_none) {
    for (const std::string_view text :
         {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "ten/8", "10.0.0.0/8/8", "::/129"}) {
        EXPECT_FALSE(AddressRange::parse(text)) << text;
    }
}

}  // namespace
}  // namespace muster::net
