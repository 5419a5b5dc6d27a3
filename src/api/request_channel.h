#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "bus/bus.h"
#include "contract/drain_order.h"
#include "contract/event.h"

namespace muster {

struct RequestChannelOptions {
    std::string name;                ///< of this api instance
    std::size_t pending_max = 1024;  ///< requests not yet answered
    std::size_t request_bytes_max = 256U << 10U;
    Millis timeout{5000};  ///< for an answer
    Millis poll{50};       ///< the longest wait for replies before deadlines are looked at
};

/// The answer of the shadow role.
struct ChannelReply {
    unsigned status = 0;  ///< HTTP
    std::string body;     ///< JSON
};

/// How the api role writes: one thread that owns its producer and the consumer of its replies, fed through a bounded
/// queue. A request is a record on muster.requests and is answered by the reply record with its correlation; an event
/// is a record on muster.events and is answered when it is durable; a policy is a record on muster.policy and one on
/// each partition of muster.events, answered when all of them are durable. Each `done` is called once, from the
/// channel's thread (or at once on queue_full, closed or too_large), with timed_out when nothing came.
class RequestChannel final {
 public:
    using OnReply = std::function<void(Result<ChannelReply>)>;
    using OnDurable = std::function<void(Result<void>)>;

    [[nodiscard]] static Result<std::unique_ptr<RequestChannel>> start(RequestChannelOptions options, Bus& bus,
                                                                       MetricRegistry& metrics, const Clock& clock);
    ~RequestChannel();
    RequestChannel(const RequestChannel&) = delete;
    RequestChannel& operator=(const RequestChannel&) = delete;

    /// Any thread.
    void ask(std::string device, std::string topic, std::string body, OnReply done);
    /// Any thread.
    void send_event(std::string device, EventKind kind, std::string body, OnDurable done);

    /// Any thread. `json` is a FleetPolicy.
    void send_policy(std::string json, OnDurable done);
    /// To a gateway: to drain, or not to. Any thread.
    void send_drain(std::string gateway, const DrainOrder& order, OnDurable done);

    /// True once replies can be received.
    [[nodiscard]] bool is_ready() const { return ready_; }
    /// Fails what is pending with `closed` and joins. Twice is fine.
    void stop();

 private:
    struct Request {
        bool wants_reply = false;
        EventKind kind = EventKind::api_request;
        std::string device;
        std::string topic;
        std::string body;
        Millis deadline{0};
        OnReply done;
        bool is_drain = false;  ///< `device` is a gateway's name
    };
    struct Pending {
        Millis deadline{0};
        bool wants_reply = false;
        std::size_t undelivered = 1;  ///< records not yet durable
        OnReply done;
    };

    RequestChannel(RequestChannelOptions options, MetricRegistry& metrics, const Clock& clock);
    Result<void> open(Bus& bus);
    void submit(Request request);
    /// Takes the request into the queue, or says why not.
    [[nodiscard]] Result<void> enqueue(Request& request);
    void run();
    void send_waiting();
    void send(Request request);
    [[nodiscard]] Result<void> send_to_partitions(ProducerRecord record, std::uint64_t correlation);
    [[nodiscard]] Result<void> send_to_gateway(ProducerRecord record, std::uint64_t correlation);
    void on_delivery(const Delivery& delivery);
    void on_reply(const ConsumerRecord& record);
    void expire();
    void expire_waiting(Millis now);
    [[nodiscard]] bool is_stopping();
    void finish(std::uint64_t correlation, Result<ChannelReply> result);
    void fail_all();

    const RequestChannelOptions options_;
    const Clock& clock_;
    Bus* bus_ = nullptr;
    TopicId requests_ = 0;
    TopicId events_ = 0;
    TopicId policy_ = 0;
    Partition partitions_ = 0;
    std::unique_ptr<Consumer> replies_;                   // the thread's, apart from wake()
    std::unique_ptr<Producer> producer_;                  // the thread's; its reports wake replies_
    std::uint64_t next_correlation_;                      // the thread's
    std::unordered_map<std::uint64_t, Pending> pending_;  // the thread's

    std::mutex mutex_;
    std::deque<Request> waiting_;  // under mutex_
    std::size_t under_way_ = 0;    // under mutex_: waiting and pending together, at most pending_max
    bool stopping_ = false;        // under mutex_
    std::atomic<bool> ready_{false};

    Gauge& pending_gauge_;
    Counter& refused_;
    Counter& timed_out_;
    Counter& failed_;
    Counter& unexpected_;
    std::thread thread_;
};

}  // namespace muster
