#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "base/result.h"
#include "history/history_store.h"
#include "history/sample_table.h"

namespace muster {

// The samples of one device and hour as they come, a row each, one after the other; only appended to, so that what is
// new since the last checkpoint is a tail of the bytes:
//
//   varint   zigzag(how much the distance in ms to the row before differs from the one before that) << 2
//            | bit 0: another shape than the row before | bit 1: the time is that of receipt
//   [varint  number of the shape, in order of appearance; a new one is followed by
//            varint number of metrics, for each: text name]
//   for each metric of the shape, a varint:
//     lowest bit 0   the rest: zigzag difference to the metric's last whole number, same decimals
//     1              the double follows, 8 bytes, and leaves the last whole number as it is
//     2 d + 3        from here on d decimals; varint zigzag: the whole number
//
// The first row's distance is from the beginning of the hour.

inline constexpr std::size_t metric_name_bytes_max = 255;
inline constexpr std::size_t row_metrics_max = 1024;  ///< of all shapes together
inline constexpr std::size_t row_shapes_max = 32;
inline constexpr std::size_t row_metrics_usual = 4;  ///< for which no memory of their own is needed

/// Where reading or writing rows stands: what the next row is a difference to. Owned by OpenRows or a reader; one
/// thread; bounded by row_shapes_max and row_metrics_max.
struct RowState {
    struct Shape {
        std::uint32_t names_at = 0;  ///< in the rows: the first name's length byte
        std::uint32_t first_value = 0;
        std::uint32_t metrics = 0;
    };
    struct Value {
        std::int64_t number = 0;
        std::uint8_t decimals = 0xff;  ///< none yet
    };

    std::int64_t time_ms = 0;  ///< within the hour
    std::int64_t step_ms = 0;
    std::uint32_t shape = UINT32_MAX;
    std::vector<Shape> shapes;
    boost::container::small_vector<Value, row_metrics_usual> values;  ///< of all shapes
};

/// Rows being written. Owned by the open samples of a device; one thread at a time.
class OpenRows final {
 public:
    /// False: the metrics have a shape for which there is no room; seal and begin anew. `time_ms`: within the hour.
    /// `names`: what the lane's KnownShapes call the metrics' names; 0: not asked.
    [[nodiscard]] bool append(std::int64_t time_ms, MetricValues metrics, bool time_clamped, std::uint64_t names = 0);
    /// Rows that were stored, in pieces and in order; then resume(), before the next append().
    void restore(std::string_view rows) { bytes_.append(rows); }
    /// malformed: what was restored are not rows, and is gone.
    [[nodiscard]] Result<void> resume();

    /// Of what the next append() will touch beside the object itself.
    void prefetch() const { __builtin_prefetch(bytes_.data() + bytes_.size(), 1); }

    [[nodiscard]] std::string_view bytes() const { return bytes_; }
    [[nodiscard]] std::uint32_t samples() const { return samples_; }
    [[nodiscard]] std::size_t memory_bytes() const;

 private:
    [[nodiscard]] bool is_shape(const RowState::Shape& shape, MetricValues metrics) const;
    [[nodiscard]] std::uint32_t find_shape(MetricValues metrics) const;
    /// Writes the number of the shape, and what it is when it is new.
    void change_shape(std::uint32_t shape, MetricValues metrics);
    void add_shape(MetricValues metrics);

    std::string bytes_;
    std::uint64_t names_ = 0;        ///< of the present shape, by the lane's KnownShapes; 0: not known
    std::uint32_t first_value_ = 0;  ///< of the present shape
    std::uint32_t samples_ = 0;
    RowState state_;
};

/// Adds every row to `table`, times counted from `hour_begin_ms`. malformed: not rows; what came before has been added.
[[nodiscard]] Result<std::uint32_t> read_rows(std::string_view rows, std::int64_t hour_begin_ms, SampleTable& table);

}  // namespace muster
