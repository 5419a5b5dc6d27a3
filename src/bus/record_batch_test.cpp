#include "bus/record_batch.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "base/random.h"

namespace muster {
namespace {

RecordBatch batch_of_two() {
    std::string bytes(batch_header_bytes, '\0');
    const RecordHeader headers[] = {{"muster", "\x01\x02"}, {"", ""}};
    ProducerRecord record{.key = "d1", .value = "{\"t\":1}", .headers = headers, .time = from_epoch_ms(42)};
    append_record(bytes, record, stored_bytes(record));
    record = {.key = "d2", .value = "", .headers = {}, .time = from_epoch_ms(-1), .tombstone = true};
    append_record(bytes, record, stored_bytes(record));
    return seal_batch(std::move(bytes), 100, 2);
}

TEST(RecordBatch, what_was_appended_is_read_back) {
    const auto opened = open_batch(batch_of_two().bytes);
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_EQ(opened->base, 100);
    EXPECT_EQ(opened->end, 102);
    RecordCursor cursor(*opened);
    ConsumerRecord record;
    ASSERT_TRUE(cursor.next(record));
    EXPECT_EQ(record.offset, 100);
    EXPECT_EQ(record.key, "d1");
    EXPECT_EQ(record.value, "{\"t\":1}");
    EXPECT_EQ(record.time, from_epoch_ms(42));
    EXPECT_EQ(record.header("muster"), "\x01\x02");
    EXPECT_EQ(record.headers.size(), 2U);
    EXPECT_FALSE(record.tombstone);
    ASSERT_TRUE(cursor.next(record));
    EXPECT_EQ(record.offset, 101);
    EXPECT_EQ(record.key, "d2");
    EXPECT_TRUE(record.tombstone);
    EXPECT_EQ(record.time, from_epoch_ms(-1));
    EXPECT_FALSE(cursor.next(record));
    EXPECT_TRUE(cursor.ok());
}

TEST(RecordBatch, a_flip_of_any_bit_is_noticed) {
    const std::string good = batch_of_two().bytes;
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        if (bit / 8 >= 1 && bit / 8 < 4) {
            continue;  // the unused bytes of the header
        }
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(open_batch(bad)) << bit;
    }
}

TEST(RecordBatch, every_shorter_text_is_refused) {
    const std::string good = batch_of_two().bytes;
    for (std::size_t size = 0; size < good.size(); ++size) {
        EXPECT_FALSE(open_batch(std::string_view(good).substr(0, size))) << size;
    }
}

TEST(RecordBatch, records_that_lie_about_their_length_end_the_batch) {
    Random random(1);
    for (int round = 0; round < 20'000; ++round) {
        RecordBatch batch = batch_of_two();
        const std::size_t at = batch_header_bytes + random.below(batch.bytes.size() - batch_header_bytes);
        batch.bytes[at] = static_cast<char>(random.next());
        RecordCursor cursor(batch);
        ConsumerRecord record;
        int records = 0;
        while (cursor.next(record)) {
            ++records;
        }
        EXPECT_LE(records, 2);
    }
}

}  // namespace
}  // namespace muster
