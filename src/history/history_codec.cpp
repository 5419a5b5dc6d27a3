#include "history/history_codec.h"

#include <algorithm>
#include <map>

#include "base/bytes.h"

namespace muster {
namespace {

constexpr std::uint8_t row_version = 1;
constexpr std::uint64_t sign_bit = 1ULL << 63U;

void append_sortable(std::string& out, std::int64_t value) {
    const std::uint64_t flipped = static_cast<std::uint64_t>(value) ^ sign_bit;
    for (int shift = 56; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(flipped >> static_cast<unsigned>(shift)));
    }
}

std::int64_t read_sortable(std::string_view bytes) {
    std::uint64_t flipped = 0;
    for (const char byte : bytes.substr(0, sizeof(flipped))) {
        flipped = (flipped << 8U) | static_cast<std::uint8_t>(byte);
    }
    return static_cast<std::int64_t>(flipped ^ sign_bit);
}

void write_text(ByteWriter& writer, std::string_view text) {
    writer.number(static_cast<std::uint8_t>(text.size()));
    writer.raw(text);
}

tl::unexpected<Error> malformed_row() {
    return fail(ErrorCode::malformed, "history row does not follow its format");
}

}  // namespace

std::string device_prefix(std::string_view device) {
    std::string prefix(device);
    prefix.push_back('\0');  // no device id has it, so that no device's keys lie among another's
    return prefix;
}

std::string sample_key(std::string_view device, Timestamp time) {
    std::string key = device_prefix(device);
    append_sortable(key, to_epoch_ms(time));
    return key;
}

std::optional<Timestamp> time_of_key(std::string_view key, std::size_t prefix_bytes) {
    if (key.size() < prefix_bytes + sizeof(std::int64_t)) {
        return std::nullopt;
    }
    return from_epoch_ms(read_sortable(key.substr(prefix_bytes)));
}

void encode_metrics(std::span<const std::pair<std::string_view, double>> metrics, std::string& out) {
    std::vector<std::pair<std::string_view, double>> sorted(metrics.begin(), metrics.end());
    std::erase_if(sorted, [](const auto& metric) { return metric.first.size() > metric_name_bytes_max; });
    std::ranges::stable_sort(sorted, {}, &std::pair<std::string_view, double>::first);
    ByteWriter writer(out);
    writer.number(row_version);
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        if (i + 1 < sorted.size() && sorted[i].first == sorted[i + 1].first) {
            continue;
        }
        write_text(writer, sorted[i].first);
        writer.real(sorted[i].second);
    }
}

Result<void> decode_metrics(std::string_view bytes, MetricVisitor visit) {
    ByteReader reader(bytes);
    if (reader.number<std::uint8_t>() != row_version) {
        return fail(ErrorCode::malformed, "history row of an unknown version");
    }
    while (!reader.at_end()) {
        const std::string_view name = reader.raw(reader.number<std::uint8_t>());
        const double value = reader.real();
        if (!reader.ok()) {
            return malformed_row();
        }
        visit(name, value);
    }
    return {};
}

Result<std::string> fold_metrics(std::string_view older, std::string_view newer) {
    std::map<std::string_view, double> folded;
    const auto put = [&folded](std::string_view name, double value) { folded.insert_or_assign(name, value); };
    for (const std::string_view bytes : {older, newer}) {
        if (const auto decoded = decode_metrics(bytes, put); !decoded) {
            return tl::unexpected(decoded.error());
        }
    }
    const std::vector<std::pair<std::string_view, double>> metrics(folded.begin(), folded.end());
    std::string out;
    encode_metrics(metrics, out);
    return out;
}

}  // namespace muster
