#include <cstdint>
#include <string>

#include "base/assert.h"
#include "history/column_codec.h"
#include "history/history_chunk.h"
#include "history/open_rows.h"
#include "history/rollup_chunk.h"
#include "history/sealed_bytes.h"
#include "history/tail_segment.h"

// The first byte says what the rest is: a chunk, rollups, rows, a tail segment, a column. What has a checksum gets the
// right one, so that the bytes behind it are looked at.

namespace muster {
namespace {

constexpr std::int64_t hour_begin = 472'222 * std::int64_t{3'600'000};

/// What can be read and written again must say the same.
void chunk(const std::string& bytes) {
    SampleTable table;
    if (!decode_chunk(bytes, hour_begin, table)) {
        return;
    }
    table.fold();
    std::string again;
    encode_chunk(table, hour_begin, again);
    SampleTable same;
    MUSTER_ASSERT(decode_chunk(again, hour_begin, same));
    MUSTER_ASSERT(same.values() == table.values());
    MUSTER_ASSERT(rows_of_chunk(again) != 0);
}

void rows(std::string_view bytes) {
    SampleTable table;
    const auto read = read_rows(bytes, hour_begin, table);
    OpenRows open;
    open.restore(bytes);
    MUSTER_ASSERT(open.resume().has_value() == read.has_value());
    if (read) {
        const std::pair<std::string_view, double> metrics[] = {{"temp", 20.5}};
        const std::uint32_t before = open.samples();
        if (open.append(0, metrics, false)) {
            SampleTable more;
            MUSTER_ASSERT(read_rows(open.bytes(), hour_begin, more) == before + 1);
        }
    }
}

void column(std::string_view bytes) {
    std::int64_t numbers[100];
    double values[100];
    (void)decode_numbers(bytes, numbers);
    (void)decode_doubles(bytes, values);
}

}  // namespace
}  // namespace muster

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace muster;
    if (size == 0) {
        return 0;
    }
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    std::string sealed;
    begin_seal(sealed, 1);
    sealed.append(rest);
    close_seal(sealed);
    switch (data[0] % 5) {
        case 0:
            chunk(sealed);
            break;
        case 1:
            (void)decode_rollups(sealed, 0, 60'000, {});
            (void)decode_rollups(sealed, 0, 3'600'000, {});
            break;
        case 2:
            rows(rest);
            break;
        case 3:
            (void)read_tail_segment(sealed, [](bool) {}, [](const TailEntry&) {});
            break;
        default:
            column(rest);
            break;
    }
    return 0;
}
