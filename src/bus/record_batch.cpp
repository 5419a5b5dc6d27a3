#include "bus/record_batch.h"

#include <bit>
#include <cstring>

#include "base/assert.h"
#include "base/crc32c.h"

namespace muster {
namespace {

static_assert(std::endian::native == std::endian::little, "the stored form is the memory's");

struct BatchHeader {
    std::uint8_t version;
    std::uint8_t zero[3];
    std::uint32_t checksum;
    std::int64_t base;
    std::uint32_t records;
    std::uint32_t bytes;
};
static_assert(sizeof(BatchHeader) == batch_header_bytes);

struct RecordPrefix {
    std::uint32_t bytes;
    std::uint32_t key_bytes;
    std::uint32_t value_bytes;
    std::uint8_t flags;
    std::uint8_t headers;
    std::uint16_t zero;
    std::int64_t time;
};
static_assert(sizeof(RecordPrefix) == record_prefix_bytes);

constexpr std::uint8_t batch_version = 1;
constexpr std::uint8_t tombstone_flag = 1;
constexpr std::size_t checksum_from = 8;

char* put(char* at, const void* bytes, std::size_t size) {
    if (size != 0) {
        std::memcpy(at, bytes, size);
    }
    return at + size;
}

char* put_header(char* at, const RecordHeader& header) {
    const auto name_bytes = static_cast<std::uint16_t>(header.name.size());
    const auto value_bytes = static_cast<std::uint32_t>(header.value.size());
    at = put(at, &name_bytes, sizeof(name_bytes));
    at = put(at, &value_bytes, sizeof(value_bytes));
    at = put(at, header.name.data(), header.name.size());
    return put(at, header.value.data(), header.value.size());
}

}  // namespace

std::size_t stored_bytes(const ProducerRecord& record) {
    std::size_t size = record_prefix_bytes + record.key.size() + record.value.size();
    for (const RecordHeader& header : record.headers) {
        size += header_prefix_bytes + header.name.size() + header.value.size();
    }
    return size;
}

void append_record(std::string& out, const ProducerRecord& record, std::size_t stored_bytes) {
    const RecordPrefix prefix{
        .bytes = static_cast<std::uint32_t>(stored_bytes),
        .key_bytes = static_cast<std::uint32_t>(record.key.size()),
        .value_bytes = static_cast<std::uint32_t>(record.value.size()),
        .flags = record.tombstone ? tombstone_flag : std::uint8_t{0},
        .headers = static_cast<std::uint8_t>(record.headers.size()),
        .zero = 0,
        .time = to_epoch_ms(record.time),
    };
    const std::size_t before = out.size();
    out.resize(before + stored_bytes);
    char* at = put(out.data() + before, &prefix, sizeof(prefix));
    for (const RecordHeader& header : record.headers) {
        at = put_header(at, header);
    }
    at = put(at, record.key.data(), record.key.size());
    at = put(at, record.value.data(), record.value.size());
    MUSTER_ASSERT(at == out.data() + out.size());
}

RecordBatch seal_batch(std::string bytes, Offset base, std::uint32_t records) {
    MUSTER_ASSERT(bytes.size() >= batch_header_bytes);
    BatchHeader header{
        .version = batch_version,
        .zero = {},
        .checksum = 0,
        .base = base,
        .records = records,
        .bytes = static_cast<std::uint32_t>(bytes.size() - batch_header_bytes),
    };
    std::memcpy(bytes.data(), &header, sizeof(header));
    header.checksum = crc32c(std::string_view(bytes).substr(checksum_from));
    std::memcpy(bytes.data(), &header, sizeof(header));
    return {base, base + records, std::move(bytes)};
}

Result<RecordBatch> open_batch(std::string_view bytes) {
    BatchHeader header{};
    if (bytes.size() < sizeof(header)) {
        return fail(ErrorCode::malformed, "record batch shorter than its header");
    }
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (header.version != batch_version) {
        return fail(ErrorCode::malformed, "record batch of an unknown version");
    }
    if (header.bytes != bytes.size() - sizeof(header) || header.checksum != crc32c(bytes.substr(checksum_from))) {
        return fail(ErrorCode::corrupt, "record batch fails its checksum");
    }
    if (header.base < 0 || header.base > INT64_MAX - header.records) {
        return fail(ErrorCode::malformed, "record batch with an impossible offset");
    }
    return RecordBatch{header.base, header.base + header.records, std::string(bytes)};
}

bool RecordCursor::stop_malformed() {
    ok_ = false;
    rest_ = {};
    return false;
}

bool RecordCursor::read_headers(std::string_view& body, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        std::uint16_t name_bytes = 0;
        std::uint32_t value_bytes = 0;
        if (body.size() < header_prefix_bytes) {
            return false;
        }
        std::memcpy(&name_bytes, body.data(), sizeof(name_bytes));
        std::memcpy(&value_bytes, body.data() + sizeof(name_bytes), sizeof(value_bytes));
        body.remove_prefix(header_prefix_bytes);
        if (body.size() < name_bytes || body.size() - name_bytes < value_bytes) {
            return false;
        }
        headers_[i] = {body.substr(0, name_bytes), body.substr(name_bytes, value_bytes)};
        body.remove_prefix(std::size_t{name_bytes} + value_bytes);
    }
    return true;
}

bool RecordCursor::next(ConsumerRecord& record) {
    if (offset_ == end_) {
        return rest_.empty() ? false : stop_malformed();
    }
    RecordPrefix prefix{};
    if (rest_.size() < sizeof(prefix)) {
        return stop_malformed();
    }
    std::memcpy(&prefix, rest_.data(), sizeof(prefix));
    if (prefix.bytes < sizeof(prefix) || prefix.bytes > rest_.size() || prefix.headers > record_headers_max) {
        return stop_malformed();
    }
    std::string_view body = rest_.substr(sizeof(prefix), prefix.bytes - sizeof(prefix));
    rest_.remove_prefix(prefix.bytes);
    if (!read_headers(body, prefix.headers) ||
        body.size() != std::uint64_t{prefix.key_bytes} + std::uint64_t{prefix.value_bytes}) {
        return stop_malformed();
    }
    record.offset = offset_++;
    record.time = from_epoch_ms(prefix.time);
    record.key = body.substr(0, prefix.key_bytes);
    record.value = body.substr(prefix.key_bytes);
    record.headers = std::span<const RecordHeader>(headers_.data(), prefix.headers);
    record.tombstone = (prefix.flags & tombstone_flag) != 0;
    return true;
}

}  // namespace muster
