#include "bus/embedded_committer.h"

#include <algorithm>

#include "base/thread.h"
#include "bus/delivery_box.h"
#include "bus/embedded_topic.h"

namespace muster {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// How long records may wait that nobody waits for: the most that G2 allows, because each commit costs the same.
constexpr Millis unhurried_interval{10};
/// How often the store is reopened after a write that failed. It is dear, and a write that fails meanwhile is cheap.
constexpr Millis reopen_interval{200};

/// How far back a submission is sought that a later one can join: two producers' share of 16 partitions, and some.
constexpr std::size_t join_distance_max = 64;

/// The append of this partition, found from its newest entry on: producers flush partition after partition.
LogAppend& append_of(std::vector<LogAppend>& appends, const Submission& submission) {
    const auto found = std::find_if(appends.rbegin(), appends.rend(), [&submission](const LogAppend& append) {
        return append.topic == submission.topic && append.partition == submission.partition;
    });
    if (found != appends.rend()) {
        return *found;
    }
    return appends.emplace_back(LogAppend{submission.topic, submission.partition, {}});
}

/// Seals as many submissions as fit into one batch, then the next ones.
void seal_parts(LogAppend& append, std::span<const Submission* const> parts) {
    while (!parts.empty()) {
        std::size_t count = 0;
        std::size_t bytes = batch_header_bytes;
        std::uint32_t records = 0;
        for (; count < parts.size() && (count == 0 || bytes < batch_bytes_max); ++count) {
            bytes += parts[count]->record_bytes;
            records += parts[count]->records;
        }
        std::string batch;
        batch.reserve(bytes);
        batch.resize(batch_header_bytes);
        for (const Submission* part : parts.first(count)) {
            batch.append(part->bytes);
        }
        Offset& next = append.topic->next()[static_cast<std::size_t>(append.partition)];
        append.batches.push_back(seal_batch(std::move(batch), next, records));
        next += records;
        parts = parts.subspan(count);
    }
}

}  // namespace

EmbeddedCommitter::EmbeddedCommitter(EmbeddedLog& log, Millis interval, MetricRegistry& metrics)
    : log_(log),
      interval_(interval),
      commits_(metrics.counter("muster_bus_commits_total", "Synced writes of the bus")),
      failures_(metrics.counter("muster_bus_commit_failures_total", "Synced writes of the bus that failed")),
      lost_records_(metrics.counter("muster_bus_failed_records_total", "Records that could not be made durable")),
      commit_seconds_(metrics.histogram("muster_bus_commit_seconds", "Time of a synced write",
                                        {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5})),
      last_commit_(SteadyClock::now() - interval),
      thread_(start_thread("bus-commit", [this] { run(); })) {}

EmbeddedCommitter::~EmbeddedCommitter() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void EmbeddedCommitter::submit(std::vector<Submission>& submissions) {
    const bool urgent = std::ranges::any_of(submissions, [](const Submission& one) { return !one.tokens.empty(); });
    {
        const std::lock_guard lock(mutex_);
        note_work(urgent);
        for (Submission& submission : submissions) {
            if (!join_pending(submission)) {
                pending_.push_back(std::move(submission));
            }
        }
    }
    submissions.clear();
}

/// A gateway flushes a record or two a partition every millisecond: what waits for the same commit is joined here, so
/// that the commit is of as many parts as there are partitions, not records. It must be the producer's newest part of
/// the partition, or the order would change.
bool EmbeddedCommitter::join_pending(Submission& submission) {
    const auto end = pending_.rbegin() + static_cast<std::ptrdiff_t>(std::min(join_distance_max, pending_.size()));
    const auto newest = std::find_if(pending_.rbegin(), end, [&submission](const Submission& one) {
        return one.partition == submission.partition && one.topic == submission.topic && one.box == submission.box;
    });
    if (newest == end || newest->record_bytes + submission.record_bytes > batch_bytes_max) {
        return false;
    }
    newest->records += submission.records;
    newest->record_bytes += submission.record_bytes;
    newest->bytes.append(submission.bytes);
    newest->tokens.insert(newest->tokens.end(), submission.tokens.begin(), submission.tokens.end());
    submission.box->keep_spare(std::move(submission.bytes));
    return true;
}

void EmbeddedCommitter::hurry() {
    const std::lock_guard lock(mutex_);
    if (has_work()) {
        note_work(true);
    }
}

void EmbeddedCommitter::submit_sync() {
    const std::lock_guard lock(mutex_);
    note_work(false);
    sync_wanted_ = true;
}

/// Wakes the thread only when that changes when it has to act.
void EmbeddedCommitter::note_work(bool urgent) {
    const bool first = !has_work();
    if (first) {
        pending_since_ = SteadyClock::now();
    }
    if (first || (urgent && !urgent_)) {
        changed_.notify_one();
    }
    urgent_ = urgent_ || urgent;
}

EmbeddedCommitter::SteadyTime EmbeddedCommitter::due() const {
    return urgent_ ? last_commit_ + interval_ : pending_since_ + unhurried_interval;
}

void EmbeddedCommitter::wait_for_turn(std::unique_lock<std::mutex>& lock) {
    changed_.wait(lock, [this] { return has_work() || stopping_; });
    while (!stopping_ && SteadyClock::now() < due()) {
        changed_.wait_until(lock, due());
    }
}

void EmbeddedCommitter::run() {
    std::vector<Submission> taken;
    std::unique_lock lock(mutex_);
    while (true) {
        wait_for_turn(lock);
        if (!has_work()) {
            return;  // stopping, and all is done
        }
        taken.swap(pending_);
        const bool sync_wanted = std::exchange(sync_wanted_, false);
        urgent_ = false;
        last_commit_ = SteadyClock::now();
        lock.unlock();
        commit(taken, sync_wanted);
        taken.clear();
        lock.lock();
    }
}

void EmbeddedCommitter::commit(std::vector<Submission>& taken, bool sync_wanted) {
    if (taken.empty()) {
        if (const auto synced = sync_wanted && !last_write_failed_ ? log_.sync() : Result<void>{}; !synced) {
            last_write_failed_ = true;
            report_failure(synced.error());
        }
        return;
    }
    std::vector<LogAppend> appends = assign_offsets(taken);
    const Result<void> written = write(appends);
    if (written) {
        publish(appends);
    }
    for (Submission& submission : taken) {
        lost_records_.Increment(written ? 0.0 : static_cast<double>(submission.records));
        submission.box->complete(submission.record_bytes, submission.tokens, written, std::move(submission.bytes));
    }
}

/// Joins the submissions of each partition into batches and seals them. The offsets are used up even when the write
/// fails: what a failed write left in the log may come back at the next start, and must not then hide later records.
std::vector<LogAppend> EmbeddedCommitter::assign_offsets(const std::vector<Submission>& taken) {
    std::vector<LogAppend> appends;
    std::vector<std::vector<const Submission*>> parts;  // of the append with the same index
    for (const Submission& submission : taken) {
        const LogAppend& append = append_of(appends, submission);
        parts.resize(appends.size());
        parts[static_cast<std::size_t>(&append - appends.data())].push_back(&submission);
    }
    for (std::size_t i = 0; i < appends.size(); ++i) {
        seal_parts(appends[i], parts[i]);
    }
    return appends;
}

Result<void> EmbeddedCommitter::write(std::span<const LogAppend> appends) {
    const auto begun = SteadyClock::now();
    if (last_write_failed_ && begun >= next_reopen_) {
        next_reopen_ = begun + reopen_interval;
        if (const auto reopened = log_.reopen(); !reopened) {
            report_failure(reopened.error());
            return reopened;
        }
    }
    auto written = log_.append(appends);
    commit_seconds_.Observe(std::chrono::duration<double>(SteadyClock::now() - begun).count());
    commits_.Increment();
    if (!written) {
        report_failure(written.error());
    } else if (last_write_failed_) {
        spdlog::info("bus: writes succeed again");
    }
    last_write_failed_ = !written;
    return written;
}

void EmbeddedCommitter::publish(std::vector<LogAppend>& appends) {
    std::vector<EmbeddedTopic*> topics;
    for (LogAppend& append : appends) {
        for (RecordBatch& batch : append.batches) {
            append.topic->publish(append.partition, std::move(batch));
        }
        if (std::ranges::find(topics, append.topic) == topics.end()) {
            topics.push_back(append.topic);
        }
    }
    for (EmbeddedTopic* topic : topics) {
        topic->wake_consumers();
    }
}

void EmbeddedCommitter::report_failure(const Error& error) {
    failures_.Increment();
    std::uint64_t swallowed = 0;
    const auto now = std::chrono::duration_cast<Millis>(SteadyClock::now().time_since_epoch());
    if (failure_log_.allow(now, swallowed)) {
        spdlog::error("bus: records are not being kept and senders are told so: {} ({} more like this)",
                      error.message(), swallowed);
    }
}

}  // namespace muster
