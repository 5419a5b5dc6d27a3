#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace muster {

/// What a simulated device really is, whatever anybody has noticed of it.
enum class Truth : std::uint8_t { online, offline, sleeping };

/// Why it became that.
enum class TruthReason : std::uint8_t {
    connect,  ///< online: CONNACK was received
    outage,   ///< its region lost its network, or a storm was planned
    flap,     ///< a flapper lost its connection
    radio,    ///< a bad radio lost its connection
    sleep,    ///< it announced its sleep and disconnected
    reboot,   ///< a command rebooted it
    broker,   ///< the broker closed the connection, or did not answer
    stop,     ///< the simulation was stopped
};
inline constexpr std::size_t truth_reasons = 8;

[[nodiscard]] std::string_view name_of(Truth truth);
[[nodiscard]] std::string_view name_of(TruthReason why);

/// One change of one device: {"t":1700000000000,"id":"ka-0417-88240c","truth":"offline","why":"outage"} in the file.
struct TruthRecord {
    Timestamp time{};
    std::string id;
    Truth truth = Truth::offline;
    TruthReason why = TruthReason::connect;

    bool operator==(const TruthRecord&) const = default;
};

/// The ground truth of one run: JSON lines, buffered. Any thread. What does not fit into `bytes_max` or cannot be
/// written is counted and left out; counts by reason go on.
class TruthLog final {
 public:
    static constexpr std::size_t buffer_bytes_max = std::size_t{64} << 10U;
    static constexpr std::size_t bytes_max = std::size_t{1} << 30U;

    /// Begins an empty file; an empty path counts only. io: the file cannot be created.
    [[nodiscard]] static Result<std::unique_ptr<TruthLog>> open(const std::string& path);
    ~TruthLog();

    void append(Timestamp time, std::string_view id, Truth truth, TruthReason why);
    void flush();

    [[nodiscard]] std::array<std::uint64_t, truth_reasons> counts() const;
    /// Records that are not in the file.
    [[nodiscard]] std::uint64_t left_out() const;

 private:
    explicit TruthLog(std::ofstream file) : file_(std::move(file)) {}
    void write_buffer();

    mutable std::mutex mutex_;
    std::ofstream file_;
    std::string buffer_;
    std::size_t buffered_records_ = 0;
    std::size_t written_bytes_ = 0;
    std::uint64_t left_out_ = 0;
    std::array<std::uint64_t, truth_reasons> counts_{};
};

/// Reads a whole file of TruthLog's. A last line that was cut short (the simulator was killed) is ignored; any other
/// line that is not a record is malformed with its number.
[[nodiscard]] Result<std::vector<TruthRecord>> load_truth(const std::string& path);

}  // namespace muster
