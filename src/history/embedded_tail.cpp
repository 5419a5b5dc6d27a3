#include "history/embedded_tail.h"

#include <charconv>
#include <memory>

namespace muster {
namespace {

constexpr std::string_view cannot_read = "cannot read the history";
constexpr std::string_view cannot_write = "cannot write to the history";
constexpr std::string_view rolled_key = "rolled";
constexpr std::size_t lane_bytes = 2;
constexpr std::size_t segment_bytes = 8;

void append_big_endian(std::string& out, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = bytes; i-- > 0;) {
        out.push_back(static_cast<char>((value >> (8 * i)) & 0xffU));
    }
}

std::uint64_t read_big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) {
        value = (value << 8U) | static_cast<std::uint8_t>(byte);
    }
    return value;
}

}  // namespace

std::string segment_key(std::size_t lane, std::uint64_t segment) {
    std::string key;
    append_big_endian(key, lane, lane_bytes);
    append_big_endian(key, segment, segment_bytes);
    return key;
}

Result<void> for_each_segment(
    RocksDatabase& database, rocksdb::ColumnFamilyHandle* tail,
    FunctionRef<void(std::size_t lane, std::uint64_t segment, std::string_view bytes)> visit) {
    const std::unique_ptr<rocksdb::Iterator> iterator(database.db().NewIterator(rocksdb::ReadOptions(), tail));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
        const std::string_view key = view_of(iterator->key());
        if (key.size() == lane_bytes + segment_bytes) {
            visit(read_big_endian(key.substr(0, lane_bytes)), read_big_endian(key.substr(lane_bytes)),
                  view_of(iterator->value()));
        }
    }
    return rocks_result(iterator->status(), cannot_read);
}

Result<std::optional<std::int32_t>> read_rolled_until(RocksDatabase& database, rocksdb::ColumnFamilyHandle* state) {
    std::string text;
    const auto status = database.db().Get(rocksdb::ReadOptions(), state, slice_of(rolled_key), &text);
    if (status.IsNotFound()) {
        return std::nullopt;
    }
    if (auto read = rocks_result(status, cannot_read); !read) {
        return tl::unexpected(read.error());
    }
    std::int32_t day = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), day).ec != std::errc{}) {
        return std::nullopt;  // rolled up again
    }
    return day;
}

Result<void> write_rolled_until(RocksDatabase& database, rocksdb::ColumnFamilyHandle* state, std::int32_t day) {
    return rocks_result(database.db().Put(rocksdb::WriteOptions(), state, slice_of(rolled_key), std::to_string(day)),
                        cannot_write);
}

}  // namespace muster
