#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/metrics.h"
#include "base/murmur2.h"
#include "base/random.h"
#include "base/result.h"

namespace muster {
namespace {

TEST(Murmur2, agrees_with_the_java_client) {
    // The vectors of Kafka's own UtilsTest.testMurmur2.
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("21")), -973932308);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("foobar")), -790332482);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-long-string")), -985981536);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-longer-string")), -1486304829);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")), -58897971);
}

TEST(Bytes, what_was_written_is_read_back) {
    std::string out;
    ByteWriter writer(out);
    writer.number<std::uint16_t>(0xBEEF);
    writer.text("device");
    writer.real(-2.5);
    ByteReader reader(out);
    EXPECT_EQ(reader.number<std::uint16_t>(), 0xBEEF);
    EXPECT_EQ(reader.text(), "device");
    EXPECT_EQ(reader.real(), -2.5);
    EXPECT_TRUE(reader.ok() && reader.at_end());
}

TEST(Bytes, a_short_read_fails_once_and_for_all) {
    ByteReader reader(std::string_view("\xff\xff\xff\xff short", 10));
    EXPECT_EQ(reader.text(), "");
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.number<std::uint8_t>(), 0);
}

TEST(Random, the_same_seed_gives_the_same_numbers) {
    Random first(42);
    Random second(42);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(first.next(), second.next());
        EXPECT_LT(first.below(7), 7U);
        (void)second.next();
    }
}

TEST(Metrics, are_rendered_in_prometheus_text_format) {
    MetricRegistry registry;
    registry.counter("muster_test_total", "A test.", {{"kind", "a"}}).Increment(3);
    auto& gauge = registry.gauge("muster_test_bytes", "A gauge.");
    auto handle = registry.on_render([&] { gauge.Set(7); });
    const std::string text = registry.render();
    EXPECT_NE(text.find("muster_test_total{kind=\"a\"} 3"), std::string::npos) << text;
    EXPECT_NE(text.find("muster_test_bytes 7"), std::string::npos) << text;
}

TEST(Metrics, a_dropped_refresher_is_not_called) {
    MetricRegistry registry;
    int calls = 0;
    auto handle = registry.on_render([&] { ++calls; });
    (void)registry.render();
    handle.reset();
    (void)registry.render();
    EXPECT_EQ(calls, 1);
}

TEST(Result, an_error_says_what_and_where) {
    const Result<int> result = fail(ErrorCode::io, "cannot open", "/tmp/x");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message(), "cannot open: /tmp/x");
    EXPECT_EQ(name_of(result.error().code), "io");
}

}  // namespace
}  // namespace muster
