#include "storage/embedded_rocksdb.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "storage/scratch_directory.h"

namespace muster {
namespace {

TEST(RocksDatabase, what_was_written_is_there_after_a_reopen) {
    const ScratchDirectory directory;
    const RocksOptions options{.directory = directory.path() + "/a/b", .what = "test store", .families = {"one"}};
    {
        auto database = RocksDatabase::open(options);
        ASSERT_TRUE(database) << database.error().message();
        auto& db = (*database)->db();
        ASSERT_TRUE(db.Put(rocksdb::WriteOptions(), (*database)->family("one"), "key", "value").ok());
        ASSERT_TRUE((*database)->create_family("two"));
    }
    auto database = RocksDatabase::open(options);
    ASSERT_TRUE(database);
    std::string value;
    ASSERT_TRUE((*database)->db().Get(rocksdb::ReadOptions(), (*database)->family("one"), "key", &value).ok());
    EXPECT_EQ(value, "value");
    EXPECT_NE((*database)->family("two"), nullptr) << "a family that is not asked for is opened too";
    ASSERT_TRUE((*database)->drop_family("two"));
    EXPECT_EQ((*database)->family("two"), nullptr);
}

TEST(RocksDatabase, a_second_opener_is_told_that_another_muster_is_using_it) {
    const ScratchDirectory directory;
    const RocksOptions options{.directory = directory.path(), .what = "test store"};
    const auto first = RocksDatabase::open(options);
    ASSERT_TRUE(first);
    const auto second = RocksDatabase::open(options);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(second.error().message().find("another muster is using"), std::string::npos) << second.error().message();
    EXPECT_NE(second.error().message().find(directory.path()), std::string::npos);
}

TEST(RocksDatabase, damaged_files_are_named_with_their_directory) {
    const ScratchDirectory directory;
    const RocksOptions options{.directory = directory.path(), .what = "test store"};
    ASSERT_TRUE(RocksDatabase::open(options));
    for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
        if (entry.path().filename().string().starts_with("MANIFEST")) {
            std::ofstream(entry.path(), std::ios::trunc) << "these are not the bytes of a manifest";
        }
    }
    const auto opened = RocksDatabase::open(options);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::corrupt) << opened.error().message();
    EXPECT_NE(opened.error().message().find(directory.path()), std::string::npos);
}

TEST(RocksDatabase, a_path_that_is_a_file_is_refused) {
    const ScratchDirectory directory;
    std::ofstream(directory.path() + "/file") << "x";
    const auto opened = RocksDatabase::open({.directory = directory.path() + "/file/db", .what = "test store"});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace muster
