#include "simulator/ground_truth.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster {
namespace {

/// A file name that is removed with the test; named after the test, so that tests can run side by side.
class GroundTruth : public testing::Test {
 protected:
    void TearDown() override { std::filesystem::remove(path_); }
    void write(std::string_view text) const { std::ofstream(path_, std::ios::binary) << text; }

    const std::string path_ =
        testing::TempDir() + "truth_" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".jsonl";
};

TEST_F(GroundTruth, what_was_written_is_read_back) {
    const std::vector<TruthRecord> records{
        {from_epoch_ms(1'700'000'000'000), "ka-0001-aaaaaa", Truth::online, TruthReason::connect},
        {from_epoch_ms(1'700'000'000'001), "ka-0001-aaaaaa", Truth::offline, TruthReason::outage},
        {from_epoch_ms(1'700'000'000'002), "la-0001-bbbbbb", Truth::sleeping, TruthReason::sleep},
    };
    auto log = TruthLog::open(path_).value();
    for (const auto& record : records) {
        log->append(record.time, record.id, record.truth, record.why);
    }
    EXPECT_THAT(load_truth(path_).value(), testing::IsEmpty());
    log->flush();
    EXPECT_EQ(load_truth(path_).value(), records);
}

TEST_F(GroundTruth, a_full_buffer_is_written_by_itself) {
    auto log = TruthLog::open(path_).value();
    for (int i = 0; i < 2000; ++i) {
        log->append(from_epoch_ms(i), "ka-0001-aaaaaa", Truth::online, TruthReason::connect);
    }
    EXPECT_GT(load_truth(path_).value().size(), 500U);
    log.reset();
    EXPECT_EQ(load_truth(path_).value().size(), 2000U);
}

TEST_F(GroundTruth, a_last_line_that_was_cut_short_is_ignored) {
    write("{\"t\":1,\"id\":\"a\",\"truth\":\"online\",\"why\":\"connect\"}\n{\"t\":2,\"id");
    EXPECT_EQ(load_truth(path_).value().size(), 1U);
}

TEST_F(GroundTruth, a_line_that_is_not_a_record_is_refused_with_its_number) {
    write(
        "{\"t\":1,\"id\":\"a\",\"truth\":\"online\",\"why\":\"connect\"}\n{\"t\":2,\"id\":\"a\",\"truth\":\"away\"}\n");
    EXPECT_THAT(load_truth(path_).error().message(), testing::HasSubstr("line 2"));
}

TEST_F(GroundTruth, without_a_file_it_still_counts) {
    auto log = TruthLog::open("").value();
    log->append(from_epoch_ms(1), "a", Truth::offline, TruthReason::flap);
    EXPECT_EQ(log->counts()[static_cast<std::size_t>(TruthReason::flap)], 1U);
    EXPECT_EQ(log->left_out(), 0U);
}

TEST_F(GroundTruth, a_file_that_cannot_be_created_is_an_error_with_its_name) {
    EXPECT_THAT(TruthLog::open("/does/not/exist/truth").error().message(), testing::HasSubstr("/does/not/exist/truth"));
}

}  // namespace
}  // namespace muster
