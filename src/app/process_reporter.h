#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/result.h"
#include "base/time.h"
#include "bus/bus.h"
#include "contract/process_report.h"

namespace muster {

/// Puts this process's report on muster.processes once a second, from a thread of its own, and takes it away at the
/// end. While the bus takes nothing the newest report waits: none are queued.
class ProcessReporter final {
 public:
    /// `fill` writes what changes into the report; called from the reporter's thread. `report` has role and name.
    [[nodiscard]] static Result<std::unique_ptr<ProcessReporter>> start(ProcessReport report,
                                                                        std::function<void(ProcessReport&)> fill,
                                                                        Bus& bus, const Clock& clock);
    ~ProcessReporter();
    ProcessReporter(const ProcessReporter&) = delete;
    ProcessReporter& operator=(const ProcessReporter&) = delete;

 private:
    ProcessReporter(ProcessReport report, std::function<void(ProcessReport&)> fill, TopicId topic, Bus& bus,
                    const Clock& clock);
    void run();
    void send();

    ProcessReport report_;
    const std::function<void(ProcessReport&)> fill_;
    const TopicId topic_;
    const Clock& clock_;
    std::unique_ptr<Producer> producer_;
    std::mutex mutex_;
    std::condition_variable wakened_;
    bool stopping_ = false;  ///< under mutex_
    std::thread thread_;
};

}  // namespace muster
