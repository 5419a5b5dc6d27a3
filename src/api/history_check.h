#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "api/http_message.h"
#include "history/history_store.h"

namespace muster {

/// One check of everything that the history has stored, on a thread of its own, told as NDJSON: a line of progress now
/// and then, and a last one with the result. Ends early when its reader has gone. One thread at a time asks.
class HistoryCheckRun final : public BodySource {
 public:
    /// `running` is true from now until the run ends: one at a time. The store and `running` outlive it.
    HistoryCheckRun(const HistoryStore& history, std::atomic<bool>& running);
    ~HistoryCheckRun() override;

    [[nodiscard]] Result<Piece> next(std::string& out) override;

 private:
    std::atomic<bool>& running_;
    std::atomic<bool> unwanted_{false};
    std::atomic<std::uint64_t> checked_{0};
    std::optional<std::uint64_t> told_;  ///< in the last line of progress
    std::mutex mutex_;
    std::optional<Result<HistoryCheck>> result_;  // under mutex_
    std::thread thread_;
};

}  // namespace muster
