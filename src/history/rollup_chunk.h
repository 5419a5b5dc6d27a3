#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/sample_table.h"

namespace muster {

// The rollups of one device and day, minutes or hours, as columns:
//
//   0 u8 version = 1 | 1 u32 CRC-32C of everything from byte 5 on
//   5 varint metrics, for each, ascending by name:
//       text name | varint the metric's usual interval, ms (0: one sample)
//       varint slots that have samples | the columns, each with a varint of its bytes before it:
//         slots           whole numbers: minutes, or hours, of the day, ascending
//         samples         whole numbers, a slot each
//         u8 decimals and, whole numbers scaled by it: sum | average rounded less minimum | maximum less average
//         rounded u8 255 and, doubles: sum | minimum | maximum

/// One slot's rollup.
struct Rollup {
    std::int64_t time = 0;  ///< epoch ms of the slot's beginning
    double sum = 0;
    double minimum = 0;
    double maximum = 0;
    std::uint32_t samples = 0;

    [[nodiscard]] double average() const;
    void add(double value);
    void add(const Rollup& other);
};

/// One metric's rollups, ascending by time.
struct MetricRollups {
    std::string name;
    std::int64_t interval_ms = 0;
    std::vector<Rollup> slots;
};

/// The distance in ms that is between most of the times: their median.
[[nodiscard]] std::int64_t usual_interval(std::span<const std::int64_t> times);

/// Of a folded table, slots of `slot_ms`; metrics without samples are left out.
[[nodiscard]] std::vector<MetricRollups> roll_up(const SampleTable& table, std::int64_t slot_ms);
/// Coarser ones of finer ones; `slot_ms` is a multiple of the finer slot.
[[nodiscard]] std::vector<MetricRollups> roll_up(const std::vector<MetricRollups>& finer, std::int64_t slot_ms);

/// All of one day. Replaces `out`.
void encode_rollups(const std::vector<MetricRollups>& metrics, std::int64_t day_begin_ms, std::int64_t slot_ms,
                    std::string& out);
/// Of the metrics that `wanted` (empty: all) names. corrupt, malformed as decode_chunk.
[[nodiscard]] Result<std::vector<MetricRollups>> decode_rollups(std::string_view bytes, std::int64_t day_begin_ms,
                                                                std::int64_t slot_ms,
                                                                std::span<const std::string> wanted);

}  // namespace muster
