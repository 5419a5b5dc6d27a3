#include "contract/gateway_routes.h"

#include <gtest/gtest.h>

#include "contract/share_assignments.h"

namespace muster {
namespace {

TEST(GatewayRoutes, read_back_what_they_wrote) {
    GatewayRoutes routes;
    routes.incarnation = 7;
    routes.wants_status = true;
    routes.groups = {{"workers/telemetry/#", 3, 2}, {"a \"b\"/ü/+", 1, 0}};
    const auto read = parse_gateway_routes(to_json(routes));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, routes);
}

TEST(GatewayRoutes, members_that_are_absent_are_nothing) {
    const auto read = parse_gateway_routes("{}");
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, GatewayRoutes{});
}

TEST(GatewayRoutes, what_is_malformed_is_refused) {
    for (const char* text :
         {"", "[]", "nonsense", R"({"wants_telemetry":1})", R"({"incarnation":-1})", R"({"groups":{}})",
          R"({"groups":[1]})", R"({"groups":[{"members":1}]})", R"({"groups":[{"name":"g/a","members":0}]})",
          R"({"groups":[{"name":"g/a","members":1,"connected":2}]})", R"({"groups":[{"name":7,"members":1}]})"}) {
        EXPECT_FALSE(parse_gateway_routes(text)) << text;
    }
}

TEST(GatewayRoutes, a_group_is_never_longer_than_announced) {
    for (const std::string& name : {std::string("g/a"), std::string(1000, '\x01'), std::string(1000, '"')}) {
        const GatewayRoutes::Group group{name, UINT32_MAX, UINT32_MAX};
        GatewayRoutes with;
        with.groups = {group, group};
        EXPECT_LE(to_json(with).size(), to_json({}).size() + 2 * json_bytes_max(group));
    }
}

TEST(ShareAssignments, are_read_back) {
    ShareAssignments assignments;
    ASSERT_TRUE(assignments.add("g/news/#", "gw-1"));
    ASSERT_TRUE(assignments.add("h/news/+", "gw-2"));
    ASSERT_TRUE(assignments.add("i/news/+", "gw-2"));
    const auto view = ShareAssignmentsView::parse(assignments.bytes());
    ASSERT_TRUE(view) << view.error().message();
    EXPECT_TRUE(view->is_complete());
    EXPECT_EQ(view->gateway_of("g/news/#"), "gw-1");
    EXPECT_EQ(view->gateway_of("h/news/+"), "gw-2");
    EXPECT_EQ(view->gateway_of("g/news"), std::nullopt);
    EXPECT_EQ(view->groups_of("gw-2"), 2U);
    EXPECT_EQ(view->groups_of("gw-3"), 0U);
}

TEST(ShareAssignments, say_when_there_was_no_room_for_all) {
    ShareAssignments assignments;
    std::size_t added = 0;
    while (assignments.add("group-" + std::to_string(added) + "/news/#", "gw-1")) {
        ++added;
    }
    EXPECT_LE(assignments.bytes().size(), share_assignments_bytes_max);
    const auto view = ShareAssignmentsView::parse(assignments.bytes());
    ASSERT_TRUE(view);
    EXPECT_FALSE(view->is_complete());
    EXPECT_EQ(view->groups_of("gw-1"), added);
    assignments.clear();
    EXPECT_TRUE(ShareAssignmentsView::parse(assignments.bytes())->is_complete());
}

TEST(ShareAssignments, every_cut_and_every_surplus_byte_is_malformed) {
    ShareAssignments assignments;
    ASSERT_TRUE(assignments.add("g/a", "gw-1"));
    const std::string whole(assignments.bytes());
    for (std::size_t size = 1; size < whole.size(); ++size) {
        EXPECT_EQ(ShareAssignmentsView::parse(std::string_view(whole).substr(0, size)).has_value(), size == 2) << size;
    }
    EXPECT_FALSE(ShareAssignmentsView::parse(whole + "x"));
    EXPECT_FALSE(ShareAssignmentsView::parse("\x02" + whole.substr(1)));
    EXPECT_FALSE(ShareAssignmentsView::parse(whole.substr(0, 1) + "\x02" + whole.substr(2)));
}

}  // namespace
}  // namespace muster
