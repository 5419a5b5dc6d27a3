#include "history/tail_segment.h"

#include "history/sealed_bytes.h"
#include "history/varint.h"

namespace muster {
namespace {

constexpr std::uint8_t segment_version = 1;
constexpr std::size_t head_bytes = seal_bytes + 1;

tl::unexpected<Error> malformed_segment() {
    return fail(ErrorCode::malformed, "history tail segment does not follow its format");
}

std::uint64_t head_of(std::uint32_t number, TailEntry::What what) {
    return (static_cast<std::uint64_t>(number) << 2U) | static_cast<std::uint64_t>(what);
}

}  // namespace

TailSegmentWriter::TailSegmentWriter(bool begins_anew) : begins_anew_(begins_anew) {
    begin_seal(bytes_, segment_version);
    bytes_.push_back(begins_anew ? '\1' : '\0');
}

void TailSegmentWriter::device(std::uint32_t number, std::string_view id) {
    write_varint(bytes_, head_of(number, TailEntry::What::device));
    write_text(bytes_, id);
}

void TailSegmentWriter::rows(std::uint32_t number, HourNumber hour, std::size_t before, std::string_view bytes) {
    write_varint(bytes_, head_of(number, TailEntry::What::rows));
    write_varint(bytes_, static_cast<std::uint64_t>(hour));
    write_varint(bytes_, before);
    write_varint(bytes_, bytes.size());
    bytes_.append(bytes);
}

void TailSegmentWriter::sealed(std::uint32_t number, HourNumber hour) {
    write_varint(bytes_, head_of(number, TailEntry::What::sealed));
    write_varint(bytes_, static_cast<std::uint64_t>(hour));
}

bool TailSegmentWriter::empty() const {
    return bytes_.size() == head_bytes && !begins_anew_;
}

const std::string& TailSegmentWriter::finish() {
    close_seal(bytes_);
    return bytes_;
}

Result<void> read_tail_segment(std::string_view bytes, FunctionRef<void(bool)> begin,
                               FunctionRef<void(const TailEntry&)> visit) {
    const auto body = open_seal(bytes, segment_version);
    if (!body) {
        return tl::unexpected(body.error());
    }
    VarintReader reader(*body);
    const std::uint8_t kind = reader.byte();
    if (!reader.ok() || kind > 1) {
        return malformed_segment();
    }
    begin(kind == 1);
    while (!reader.at_end()) {
        const std::uint64_t head = reader.varint();
        TailEntry entry;
        entry.number = static_cast<std::uint32_t>(head >> 2U);
        if ((head & 3U) > static_cast<std::uint64_t>(TailEntry::What::sealed) || (head >> 2U) > UINT32_MAX) {
            return malformed_segment();
        }
        entry.what = static_cast<TailEntry::What>(head & 3U);
        if (entry.what == TailEntry::What::device) {
            entry.id = reader.text();
        } else {
            entry.hour = static_cast<HourNumber>(reader.varint());
        }
        if (entry.what == TailEntry::What::rows) {
            entry.before = reader.varint();
            entry.rows = reader.raw(reader.varint());
        }
        if (!reader.ok()) {
            return malformed_segment();
        }
        visit(entry);
    }
    return {};
}

}  // namespace muster
