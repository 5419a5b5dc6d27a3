#include "storage/redis_connection.h"

#include <gtest/gtest.h>

#include "storage/redis_link.h"
#include "storage/redis_test_server.h"

namespace muster {
namespace {

TEST(RedisUrl, says_where_the_server_is_and_who_asks) {
    const auto options = parse_redis_url("redis://muster:p%40ss%2Fword@redis.example.com:7000/3");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->host, "redis.example.com");
    EXPECT_EQ(options->port, 7000);
    EXPECT_EQ(options->user, "muster");
    EXPECT_EQ(options->password, "p@ss/word");
    EXPECT_EQ(options->database, 3U);
    EXPECT_EQ(options->url(), "redis://redis.example.com:7000/3") << "nothing secret";
}

TEST(RedisUrl, has_defaults_for_everything_but_the_host) {
    const auto options = parse_redis_url("redis://127.0.0.1");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->port, 6379);
    EXPECT_EQ(options->database, 0U);
    EXPECT_EQ(parse_redis_url("redis://:secret@localhost/")->password, "secret");
    EXPECT_EQ(parse_redis_url("redis://[::1]:7000")->host, "::1");
    EXPECT_EQ(parse_redis_url("redis://[::1]")->host, "::1");
}

TEST(RedisUrl, anything_else_is_refused) {
    for (const char* url : {"", "127.0.0.1:6379", "redis://", "redis://host:0", "redis://host:70000", "redis://host:x",
                            "redis://host/x", "rediss://host", "redis://a%4:b@host"}) {
        EXPECT_FALSE(parse_redis_url(url)) << url;
    }
}

TEST(RedisConnection, a_password_that_is_not_taken_is_an_error_that_does_not_tell_it) {
    const RedisTestServer server;
    RedisOptions options = server.options();
    options.password = "open sesame";
    const auto connection = RedisConnection::open(options);
    ASSERT_FALSE(connection);
    EXPECT_NE(connection.error().message().find(options.url()), std::string::npos);
    EXPECT_EQ(connection.error().message().find(options.password), std::string::npos);
}

TEST(RedisConnection, a_refused_command_does_not_break_it) {
    const RedisTestServer server;
    const auto connection = RedisConnection::open(server.options());
    ASSERT_TRUE(connection);
    (*connection)->append({"NO-SUCH-COMMAND"});
    (*connection)->append({"SET", "key", std::string_view("a\0b", 3)});
    (*connection)->append({"GET", "key"});
    EXPECT_FALSE((*connection)->read());
    EXPECT_TRUE((*connection)->read());
    EXPECT_EQ((*connection)->read()->text(), std::string_view("a\0b", 3));
    EXPECT_FALSE((*connection)->is_broken());
}

TEST(RedisLink, does_not_storm_a_server_that_is_away) {
    RedisTestServer server;
    MetricRegistry metrics;
    RedisLink link({.options = server.options(), .purpose = "test"}, metrics);
    ASSERT_TRUE(link.get());
    server.kill();
    link.note((*link.get())->command({"PING"}).error());
    EXPECT_FALSE(link.get()) << "it has tried";
    for (int i = 0; i < 1000; ++i) {
        EXPECT_FALSE(link.get());
    }
    const std::string text = metrics.render();
    const auto at = text.find("muster_redis_failures_total{purpose=\"test\"} ");
    ASSERT_NE(at, std::string::npos);
    EXPECT_LT(std::stod(text.substr(at + 44)), 10);
}

}  // namespace
}  // namespace muster
