#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"
#include "history/history_store.h"

namespace muster {

// The rows of the embedded history store (docs/data-formats.md, "History"). Keys sort by device, then time:
//
//   key of a sample       device | 0x00 | u64 time          big-endian, with the sign bit flipped
//
// Values are little-endian; text is u8 length, bytes:
//
//   sample       0 u8 version = 1 | then for each metric, ascending by name: text name, f64 value

inline constexpr std::size_t metric_name_bytes_max = 255;

[[nodiscard]] std::string sample_key(std::string_view device, Timestamp time);
/// What all keys of a device begin with.
[[nodiscard]] std::string device_prefix(std::string_view device);
/// The time in a key whose device prefix has this length; nullopt when the key is too short.
[[nodiscard]] std::optional<Timestamp> time_of_key(std::string_view key, std::size_t prefix_bytes);

using MetricVisitor = FunctionRef<void(std::string_view name, double value)>;

/// Appends the packed metrics of one sample; of two with one name the last counts. Names over metric_name_bytes_max are
/// left out.
void encode_metrics(std::span<const std::pair<std::string_view, double>> metrics, std::string& out);
/// Calls `visit` for each metric, ascending by name. malformed: not bytes that encode_metrics wrote.
[[nodiscard]] Result<void> decode_metrics(std::string_view bytes, MetricVisitor visit);
/// One sample of both: where both have a metric, `newer` counts.
[[nodiscard]] Result<std::string> fold_metrics(std::string_view older, std::string_view newer);

}  // namespace muster
