#include "bus/record_check.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace muster {

Result<void> check_topic_name(std::string_view name) {
    constexpr std::size_t bytes_max = 249;
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (name.empty() || name.size() > bytes_max || name.find_first_not_of(allowed) != std::string_view::npos) {
        return fail(ErrorCode::invalid_argument, "a topic name is 1 to 249 of [A-Za-z0-9._-]", std::string(name));
    }
    return {};
}

std::size_t payload_bytes(const ProducerRecord& record) {
    std::size_t bytes = record.key.size() + record.value.size();
    for (const RecordHeader& header : record.headers) {
        bytes += header.name.size() + header.value.size();
    }
    return bytes;
}

Result<void> check_record(const ProducerRecord& record, Partition partitions) {
    if (record.partition < any_partition || record.partition >= partitions) {
        return fail(ErrorCode::invalid_argument, "no such partition");
    }
    if (record.headers.size() > record_headers_max) {
        return fail(ErrorCode::invalid_argument, "more than record_headers_max headers");
    }
    if (record.tombstone && !record.value.empty()) {
        return fail(ErrorCode::invalid_argument, "a tombstone has no value");
    }
    if (payload_bytes(record) > record_bytes_max) {
        return fail(ErrorCode::too_large, "record over record_bytes_max");
    }
    for (const RecordHeader& header : record.headers) {
        if (header.name.size() > UINT16_MAX) {
            return fail(ErrorCode::too_large, "record header name over 65,535 bytes");
        }
    }
    return {};
}

Result<void> check_partitions(const ConsumerOptions& options, Partition partitions) {
    const auto is_there = [partitions](Partition one) { return one >= 0 && one < partitions; };
    if (!std::ranges::all_of(options.partitions, is_there)) {
        return fail(ErrorCode::invalid_argument, "a consumer names a partition that there is not");
    }
    if (!options.partitions.empty() && !options.group.empty()) {
        return fail(ErrorCode::invalid_argument, "a group shares its partitions out, its members do not name them");
    }
    return {};
}

bool reads(const ConsumerOptions& options, Partition partition) {
    return options.partitions.empty() || std::ranges::find(options.partitions, partition) != options.partitions.end();
}

}  // namespace muster
