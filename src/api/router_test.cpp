#include "api/router.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

Router router() {
    return Router({{"GET", "/devices", Role::viewer, {}},
                   {"GET", "/devices/{id}", Role::viewer, {}},
                   {"PUT", "/devices/{id}", Role::fleet_operator, {}},
                   {"GET", "/devices/{id}/history.csv", Role::viewer, {}}});
}

TEST(Router, finds_the_row_and_its_parameters) {
    const Router table = router();
    const auto match = table.find("PUT", "/devices/a%3Ab");
    ASSERT_NE(match.route, nullptr);
    EXPECT_EQ(match.route->role, Role::fleet_operator);
    EXPECT_EQ(match.parameters, std::vector<std::string>{"a:b"});
}

TEST(Router, an_escaped_slash_stays_in_its_segment) {
    const Router table = router();
    const auto match = table.find("GET", "/devices/a%2Fhistory.csv");
    ASSERT_NE(match.route, nullptr);
    EXPECT_EQ(match.parameters, std::vector<std::string>{"a/history.csv"});
}

TEST(Router, head_is_served_by_get) {
    EXPECT_NE(router().find("HEAD", "/devices").route, nullptr);
}

TEST(Router, a_wrong_method_learns_the_right_ones) {
    const auto match = router().find("DELETE", "/devices/x");
    EXPECT_EQ(match.route, nullptr);
    EXPECT_EQ(match.allowed, "GET, PUT");
}

TEST(Router, other_paths_match_nothing) {
    for (const char* path : {"/", "/devices/", "/devices//history.csv", "/device", "/devices/x/y", "/devices/%zz"}) {
        const auto match = router().find("GET", path);
        EXPECT_EQ(match.route, nullptr) << path;
        EXPECT_EQ(match.allowed, "") << path;
    }
}

}  // namespace
}  // namespace muster
