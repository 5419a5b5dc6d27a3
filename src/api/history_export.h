#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "api/http_message.h"
#include "history/history_store.h"
#include "status/status_store.h"

namespace muster {

enum class ExportFormat : std::uint8_t { csv, ndjson };
enum class ExportKind : std::uint8_t { samples, transitions };

[[nodiscard]] std::optional<ExportFormat> export_format_from(std::string_view name);
[[nodiscard]] std::optional<ExportKind> export_kind_from(std::string_view name);

/// What is to be written: of one device, of a region and everything below it, or (both empty) of all devices.
struct ExportRequest {
    ExportKind kind = ExportKind::samples;
    ExportFormat format = ExportFormat::ndjson;
    std::string device;
    std::string region;
    Timestamp from{};
    Timestamp to{};
};

/// Samples or transitions as CSV or NDJSON, device after device in the order of their ids; samples ascend in time,
/// transitions descend. Each piece reads on where the last one ended, so that a slow reader holds nothing in the stores
/// and what is appended meanwhile may be in it. About piece_bytes of memory. One thread at a time.
class HistoryExport final : public BodySource {
 public:
    static constexpr std::size_t piece_bytes = 256U << 10U;
    static constexpr std::size_t devices_a_page = 1000;
    static constexpr std::size_t transitions_a_page = 1000;

    /// The stores outlive it.
    HistoryExport(const HistoryStore& history, const StatusStore& status, ExportRequest request);

    [[nodiscard]] Result<Piece> next(std::string& out) override;

 private:
    [[nodiscard]] Result<void> write_all_samples(std::string& out);
    [[nodiscard]] Result<void> write_samples(std::string& out);
    [[nodiscard]] Result<void> write_transitions(std::string& out);
    [[nodiscard]] Result<void> take_device();
    [[nodiscard]] Result<void> scan(const ScanQuery& query, std::string& out, bool& stopped);
    void write_header(std::string& out) const;
    void write(const Sample& sample, std::string& out);
    void write(const Transition& transition, std::string& out);

    const HistoryStore& history_;
    const StatusStore& status_;
    const ExportRequest request_;
    bool begun_ = false;
    bool ended_ = false;
    std::deque<std::string> devices_;  ///< of the page that is being written
    std::string listed_after_;         ///< the last device of that page
    bool listed_all_ = false;
    std::string device_;   ///< being written; empty: the next one is due
    Timestamp from_{};     ///< of its samples that are due
    TransitionQuery due_;  ///< of its transitions; the device is device_
    std::string quoted_;   ///< reused
};

}  // namespace muster
