#include "alerts/notification_sender.h"

#include "base/thread.h"

namespace muster {
namespace {

Counter& counter(MetricRegistry& metrics, const std::string& sink, const std::string& result) {
    return metrics.counter("muster_alerts_notifications_total",
                           "Notifications, by where they go and what became of them",
                           {{"sink", sink}, {"result", result}});
}

}  // namespace

NotificationSender::NotificationSender(std::string sink, std::unique_ptr<Notifier> notifier, const Clock& clock,
                                       MetricRegistry& metrics)
    : sink_(std::move(sink)),
      clock_(clock),
      notifier_(std::move(notifier)),
      delivered_(counter(metrics, sink_, "delivered")),
      retried_(counter(metrics, sink_, "retried")),
      given_up_(counter(metrics, sink_, "given_up")),
      dropped_(counter(metrics, sink_, "dropped")),
      waiting_(metrics.gauge("muster_alerts_notifications_waiting", "Notifications that are kept to be sent",
                             {{"sink", sink_}})) {
    thread_ = start_thread("notify-" + sink_.substr(0, 8), [this] { run(); });
}

NotificationSender::~NotificationSender() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    http_.cancel();
    changed_.notify_all();
    thread_.join();
}

void NotificationSender::restore(const NotificationMark& mark) {
    const std::lock_guard lock(mutex_);
    notifier_->restore(mark);
}

std::vector<NotificationMark> NotificationSender::take_marks() {
    const std::lock_guard lock(mutex_);
    return notifier_->take_marks();
}

void NotificationSender::on_incident(const Incident& incident, bool adopted) {
    {
        const std::lock_guard lock(mutex_);
        notifier_->on_incident(incident, adopted, clock_.monotonic());
        report_counts();
    }
    changed_.notify_all();
}

void NotificationSender::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        send_due(lock);
        if (stopping_) {
            return;
        }
        if (const auto due = notifier_->due()) {
            changed_.wait_for(lock, std::max(Millis(1), *due - clock_.monotonic()));
        } else {
            changed_.wait(lock);
        }
    }
}

void NotificationSender::send_due(std::unique_lock<std::mutex>& lock) {
    while (!stopping_) {
        const auto post = notifier_->next(clock_.monotonic(), clock_.now());
        if (!post) {
            return;
        }
        lock.unlock();
        const Result<unsigned> status = http_.post(*post);
        std::uint64_t swallowed = 0;
        if ((!status || *status >= 300) && log_.allow(clock_.monotonic(), swallowed)) {
            spdlog::warn("alerts: {} was not notified: {} ({} more such failures)", sink_,
                         status ? fmt::format("it answered {}", *status) : status.error().message(), swallowed);
        }
        lock.lock();
        notifier_->on_answer(status, clock_.monotonic());
        report_counts();
    }
}

void NotificationSender::report_counts() {
    const NotifierCounts now = notifier_->counts();
    delivered_.Increment(static_cast<double>(now.delivered - reported_.delivered));
    retried_.Increment(static_cast<double>(now.retried - reported_.retried));
    given_up_.Increment(static_cast<double>(now.given_up - reported_.given_up));
    dropped_.Increment(static_cast<double>(now.dropped - reported_.dropped));
    waiting_.Set(static_cast<double>(now.waiting));
    reported_ = now;
}

}  // namespace muster
