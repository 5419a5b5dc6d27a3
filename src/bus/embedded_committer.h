#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "bus/embedded_log.h"

namespace muster {

class DeliveryBox;
class EmbeddedTopic;

/// What a producer flushed for one partition: records in their stored form, one after the other.
struct Submission {
    EmbeddedTopic* topic = nullptr;
    Partition partition = 0;
    std::uint32_t records = 0;
    std::size_t record_bytes = 0;
    std::string bytes;                  ///< record_bytes of them; goes back to the box
    std::vector<std::uint64_t> tokens;  ///< of those records that want a report
    std::shared_ptr<DeliveryBox> box;
};

/// The commit thread: joins what all producers flushed into one synced write, at most one in an interval; then shows it
/// to consumers; then reports it. A commit somebody waits for begins as soon as the interval since the last one has
/// passed; else the interval is used in full. What it holds is bounded by the producers' queue_bytes_max. Owned by the
/// bus.
class EmbeddedCommitter final {
 public:
    EmbeddedCommitter(EmbeddedLog& log, Millis interval, MetricRegistry& metrics);
    /// Commits what was submitted, then stops.
    ~EmbeddedCommitter();

    /// Any thread. Takes the contents of `submissions` and leaves it empty.
    void submit(std::vector<Submission>& submissions);
    /// Any thread: somebody waits for what was submitted, though not for a report of it.
    void hurry();
    /// Any thread: an offset was committed; it is to be synced within the interval.
    void submit_sync();

 private:
    using SteadyTime = std::chrono::steady_clock::time_point;

    void run();
    void note_work(bool urgent);
    [[nodiscard]] bool join_pending(Submission& submission);
    [[nodiscard]] bool has_work() const { return !pending_.empty() || sync_wanted_; }
    void wait_for_turn(std::unique_lock<std::mutex>& lock);
    [[nodiscard]] SteadyTime due() const;

    void commit(std::vector<Submission>& taken, bool sync_wanted);
    [[nodiscard]] std::vector<LogAppend> assign_offsets(const std::vector<Submission>& taken);
    [[nodiscard]] Result<void> write(std::span<const LogAppend> appends);
    void publish(std::vector<LogAppend>& appends);
    void report_failure(const Error& error);

    EmbeddedLog& log_;
    const std::chrono::milliseconds interval_;
    Counter& commits_;
    Counter& failures_;
    Counter& lost_records_;
    Histogram& commit_seconds_;
    LogLimit failure_log_;
    bool last_write_failed_ = false;
    SteadyTime next_reopen_{};

    std::mutex mutex_;  ///< guards what follows
    std::condition_variable changed_;
    std::vector<Submission> pending_;
    bool sync_wanted_ = false;
    bool urgent_ = false;  ///< somebody waits for a report of something pending
    bool stopping_ = false;
    SteadyTime pending_since_{};
    SteadyTime last_commit_{};

    std::thread thread_;
};

}  // namespace muster
