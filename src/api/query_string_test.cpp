#include "api/query_string.h"

#include <gtest/gtest.h>

#include "contract/presence.h"

namespace muster {
namespace {

TEST(PercentDecoded, undoes_escapes_and_plus_where_asked) {
    EXPECT_EQ(percent_decoded("in%2Fka+x", true), "in/ka x");
    EXPECT_EQ(percent_decoded("a+b", false), "a+b");
}

TEST(PercentDecoded, refuses_what_is_no_escape) {
    for (const char* text : {"%", "%4", "%zz", "a%4", "%00"}) {
        EXPECT_FALSE(percent_decoded(text, true)) << text;
    }
}

TEST(QueryString, gives_decoded_values_by_name) {
    const auto query = QueryString::parse("state=online&&q=a%3Ab&flag");
    ASSERT_TRUE(query);
    EXPECT_EQ(query->get("state"), "online");
    EXPECT_EQ(query->get("q"), "a:b");
    EXPECT_EQ(query->get("flag"), "");
    EXPECT_EQ(query->get("absent"), "");
}

TEST(QueryString, refuses_a_parameter_given_twice) {
    EXPECT_FALSE(QueryString::parse("a=1&a=2"));
}

TEST(QueryString, refuses_more_than_its_bound) {
    std::string text;
    for (std::size_t i = 0; i <= QueryString::parameters_max; ++i) {
        text += "p" + std::to_string(i) + "=1&";
    }
    EXPECT_FALSE(QueryString::parse(text));
}

TEST(QueryReader, names_the_parameter_and_its_range) {
    const auto query = QueryString::parse("limit=1001");
    QueryReader reader(*query);
    EXPECT_EQ(reader.integer("limit", 100, 1, 1000), 100);
    const auto valid = reader.finish();
    ASSERT_FALSE(valid);
    EXPECT_EQ(valid.error().message(), "query parameter: limit must be a whole number from 1 to 1000");
}

TEST(QueryReader, takes_numbers_whole_or_not_at_all) {
    for (const char* text : {"limit=1x", "limit=-", "limit=1.5", "limit=99999999999999999999"}) {
        const auto query = QueryString::parse(text);
        QueryReader reader(*query);
        (void)reader.integer("limit", 100, 1, 1000);
        EXPECT_FALSE(reader.finish()) << text;
    }
}

TEST(QueryReader, reads_words_and_lists_them_when_they_are_wrong) {
    const auto good = QueryString::parse("state=offline");
    QueryReader reader(*good);
    EXPECT_EQ(reader.word("state", &presence_state_from, "online or offline"), PresenceState::offline);
    EXPECT_TRUE(reader.finish());

    const auto bad = QueryString::parse("state=gone");
    QueryReader refusing(*bad);
    EXPECT_EQ(refusing.word("state", &presence_state_from, "online or offline"), std::nullopt);
    EXPECT_EQ(refusing.finish().error().detail, "state must be online or offline");
}

TEST(QueryReader, refuses_a_parameter_nobody_asked_for) {
    const auto query = QueryString::parse("regoin=in");
    QueryReader reader(*query);
    (void)reader.text("region", 128);
    const auto valid = reader.finish();
    ASSERT_FALSE(valid);
    EXPECT_EQ(valid.error().detail, "regoin; this path knows region");
}

TEST(Cursor, comes_back_as_it_went) {
    for (const std::string& id : std::vector<std::string>{"a", "dev-1", "a:b.c_d-e", std::string(128, 'z')}) {
        EXPECT_EQ(decode_cursor(encode_cursor(id)).value_or("?"), id);
    }
}

TEST(Cursor, is_url_safe) {
    const std::string cursor = encode_cursor("\xff\xfe\xfd?>");
    EXPECT_EQ(cursor.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
}

TEST(Cursor, refuses_what_it_did_not_make) {
    const std::string good = encode_cursor("dev-12");
    for (const std::string& text :
         {std::string("x"), std::string("!!"), good + "A", good + "=", std::string(600, 'A')}) {
        EXPECT_FALSE(decode_cursor(text)) << text;
    }
}

}  // namespace
}  // namespace muster
