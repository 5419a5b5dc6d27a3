#include "mqtt/topic.h"

#include <string>

#include <gtest/gtest.h>

namespace muster::mqtt {
namespace {

TEST(Utf8, well_formed_text_of_every_length_is_valid) {
    for (const std::string_view text :
         {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x9F\x98\x80",
          "\xF4\x8F\xBF\xBF", "exactly8", "longer than eight \xC2\x80"}) {
        EXPECT_TRUE(is_valid_utf8(text)) << text;
    }
}

TEST(Utf8, nul_overlong_surrogates_and_cut_sequences_are_refused) {
    using namespace std::string_view_literals;
    for (const std::string_view text :
         {"\0"sv, "a\0"sv, "12345678\0"sv, "1234\000678"sv, "\x80"sv, "\xC0\x80"sv, "\xC1\xBF"sv, "\xC3"sv, "\xC3("sv,
          "\xE0\x80\x80"sv, "\xE2\x82"sv, "\xED\xA0\x80"sv, "\xED\xBF\xBF"sv, "\xF0\x80\x80\x80"sv,
          "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\xFF"sv, "1234567\xFF"sv, "\xF0\x9F\x98"sv}) {
        EXPECT_FALSE(is_valid_utf8(text));
        EXPECT_FALSE(is_valid_utf8(std::string("a longer beginning, ") + std::string(text)));
    }
}

TEST(Topic, a_name_has_no_wildcard_and_at_least_one_byte) {
    EXPECT_TRUE(is_valid_topic_name("/"));
    EXPECT_TRUE(is_valid_topic_name("a//b"));
    EXPECT_TRUE(is_valid_topic_name(std::string(65'535, 'x')));
    EXPECT_FALSE(is_valid_topic_name(""));
    EXPECT_FALSE(is_valid_topic_name(std::string(65'536, 'x')));
    for (std::size_t at = 0; at < 20; ++at) {
        for (const char wildcard : {'+', '#'}) {
            std::string topic(20, 'x');
            topic[at] = wildcard;
            EXPECT_FALSE(is_valid_topic_name(topic)) << topic;
        }
    }
}

TEST(Topic, wildcards_of_a_filter_fill_whole_levels) {
    for (const char* filter : {"#", "+", "/", "a/#", "+/#", "+/+/a", "/+", "+/", "a/+/b/#", "$SYS/#", "$share/g/+"}) {
        EXPECT_TRUE(is_valid_topic_filter(filter)) << filter;
    }
    for (const char* filter : {"", "a#", "a/#b", "#/a", "##", "a+", "+a", "a/+b", "a/#/b", "a/b+/c"}) {
        EXPECT_FALSE(is_valid_topic_filter(filter)) << filter;
    }
}

TEST(Topic, the_examples_of_the_specification_match) {
    EXPECT_TRUE(topic_matches("sport/tennis/player1/#", "sport/tennis/player1"));
    EXPECT_TRUE(topic_matches("sport/tennis/player1/#", "sport/tennis/player1/ranking"));
    EXPECT_TRUE(topic_matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
    EXPECT_TRUE(topic_matches("sport/#", "sport"));
    EXPECT_TRUE(topic_matches("#", "a/b/c"));
    EXPECT_TRUE(topic_matches("sport/tennis/+", "sport/tennis/player1"));
    EXPECT_FALSE(topic_matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    EXPECT_FALSE(topic_matches("sport/+", "sport"));
    EXPECT_TRUE(topic_matches("sport/+", "sport/"));
    EXPECT_TRUE(topic_matches("+/+", "/finance"));
    EXPECT_TRUE(topic_matches("/+", "/finance"));
    EXPECT_FALSE(topic_matches("+", "/finance"));
}

TEST(Topic, names_are_compared_byte_by_byte) {
    EXPECT_FALSE(topic_matches("Accounts", "accounts"));
    EXPECT_FALSE(topic_matches("a", "a/"));
    EXPECT_FALSE(topic_matches("a/", "a"));
    EXPECT_FALSE(topic_matches("a/b", "a"));
    EXPECT_FALSE(topic_matches("a", "a/b"));
}

TEST(Topic, a_leading_wildcard_does_not_match_dollar_topics) {
    EXPECT_FALSE(topic_matches("#", "$SYS/uptime"));
    EXPECT_FALSE(topic_matches("+/uptime", "$SYS/uptime"));
    EXPECT_FALSE(topic_matches("+/things/#", "$aws/things/d/shadow"));
    EXPECT_TRUE(topic_matches("$SYS/#", "$SYS/uptime"));
    EXPECT_TRUE(topic_matches("$aws/things/+/shadow", "$aws/things/d/shadow"));
    EXPECT_TRUE(topic_matches("a/#", "a/$SYS"));
}

TEST(SharedFilter, group_and_filter_are_taken_apart) {
    const auto shared = parse_shared_filter("$share/consumers/a/+/#");
    ASSERT_TRUE(shared);
    EXPECT_EQ(shared->group, "consumers");
    EXPECT_EQ(shared->filter, "a/+/#");
    for (const char* filter :
         {"$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g#/a", "share/g/a"}) {
        EXPECT_FALSE(parse_shared_filter(filter)) << filter;
    }
}

}  // namespace
}  // namespace muster::mqtt
