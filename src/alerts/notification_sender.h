#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "alerts/notifier.h"
#include "alerts/webhook_http.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"

namespace muster {

/// A thread that does what one notifier says, so that a receiver that hangs delays nobody. Any thread may tell it of
/// incidents; the notifier bounds what waits.
class NotificationSender final {
 public:
    /// `sink` names it in metrics and logs. The clock and the metrics outlive it.
    NotificationSender(std::string sink, std::unique_ptr<Notifier> notifier, const Clock& clock,
                       MetricRegistry& metrics);
    ~NotificationSender();
    NotificationSender(const NotificationSender&) = delete;
    NotificationSender& operator=(const NotificationSender&) = delete;

    [[nodiscard]] const std::string& sink() const { return sink_; }
    /// As the notifier's.
    void restore(const NotificationMark& mark);
    [[nodiscard]] std::vector<NotificationMark> take_marks();
    /// Does not block on the network.
    void on_incident(const Incident& incident, bool adopted);

 private:
    void run();
    void send_due(std::unique_lock<std::mutex>& lock);
    void report_counts();

    const std::string sink_;
    const Clock& clock_;
    WebhookHttp http_;  ///< the thread's, apart from cancel()
    LogLimit log_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::unique_ptr<Notifier> notifier_;  ///< under mutex_
    NotifierCounts reported_;             ///< under mutex_
    bool stopping_ = false;               ///< under mutex_
    Counter& delivered_;
    Counter& retried_;
    Counter& given_up_;
    Counter& dropped_;
    Gauge& waiting_;
    std::thread thread_;
};

}  // namespace muster
