#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "api/request_channel.h"
#include "base/function_ref.h"
#include "base/metrics.h"
#include "base/result.h"
#include "bus/bus.h"
#include "contract/fleet_policy.h"

namespace muster {

/// The fleet's policy as it is in force: read from muster.policy by a thread of its own, changed by operators. At its
/// start it is said again on every partition, for those that have never heard it. Any thread; one policy.
class PolicyBook final {
 public:
    /// `channel` outlives it.
    [[nodiscard]] static Result<std::unique_ptr<PolicyBook>> start(Bus& bus, RequestChannel& channel,
                                                                   MetricRegistry& metrics);
    ~PolicyBook();
    PolicyBook(const PolicyBook&) = delete;
    PolicyBook& operator=(const PolicyBook&) = delete;

    [[nodiscard]] FleetPolicy policy() const;
    /// Makes the next version of the policy by `edit`, which may refuse, and sends it. `done` is called once, when it
    /// is durable or will not be: then what was changed is taken back.
    void change(FunctionRef<Result<void>(FleetPolicy&)> edit, RequestChannel::OnDurable done);

    /// True once everything that was there at the start has been read.
    [[nodiscard]] bool is_ready() const { return ready_; }
    void stop();

 private:
    PolicyBook(RequestChannel& channel, MetricRegistry& metrics);
    void run();
    void on_record(const ConsumerRecord& record);
    void say_again();

    RequestChannel& channel_;
    std::unique_ptr<Consumer> consumer_;  // the thread's, apart from wake()
    mutable std::mutex mutex_;
    FleetPolicy current_;  // under mutex_: with changes under way
    FleetPolicy durable_;  // under mutex_
    std::atomic<bool> ready_{false};
    std::atomic<bool> stopping_{false};
    Counter& malformed_;
    Gauge& version_;
    Gauge& windows_;
    std::thread thread_;
};

}  // namespace muster
