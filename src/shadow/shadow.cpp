#include "shadow/shadow.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>

#include "base/log.h"
#include "base/thread.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"
#include "contract/event.h"
#include "shadow/downlink_sender.h"
#include "shadow/shadow_service.h"

namespace muster {
namespace {

constexpr std::uint64_t settle_lag_max = 1000;  // records behind: what is due may have been answered in them

std::vector<TopicSpec> topics() {
    return {standard_topic(bus_topics::requests), standard_topic(bus_topics::status)};
}

}  // namespace

/// The role's thread and all that belongs to it.
class Shadow::Worker final : public RebalanceListener {
 public:
    Worker(ShadowOptions options, Bus& bus, DocumentStore& store, const Clock& clock, MetricRegistry& metrics)
        : options_(std::move(options)),
          store_(store),
          clock_(clock),
          service_(store, metrics),
          sender_(bus, options_.name, service_.metrics()) {}

    ~Worker() override { stop(); }

    Result<void> start(Bus& bus) {
        for (const TopicSpec& spec : topics()) {
            if (auto opened = bus.open_topic(spec); !opened) {
                return tl::unexpected(opened.error());
            }
        }
        ConsumerOptions consumer;
        consumer.group = options_.group;
        consumer.topics = {std::string(bus_topics::requests), std::string(bus_topics::status)};
        consumer.listener = this;
        consumer.poll_records_max = options_.poll_records_max;
        auto made = bus.consumer(std::move(consumer));
        if (!made) {
            return tl::unexpected(made.error());
        }
        consumer_ = std::move(*made);
        thread_ = start_thread("shadow", [this] { run(); });
        return {};
    }

    void stop() {
        if (!thread_.joinable()) {
            return;
        }
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wakened_.notify_all();
        consumer_->wake();
        thread_.join();
    }

    std::optional<Offset> on_assigned(std::string_view topic, Partition partition) override {
        if (topic == bus_topics::status) {
            service_.restart_status(partition);
            return 0;  // compacted: the present of every device
        }
        if (!repeat("load a partition", [&] { return service_.assign(partition); })) {
            abandoned_ = true;
        }
        return std::nullopt;
    }

    void on_revoked(std::string_view topic, Partition partition) override {
        if (topic == bus_topics::status) {
            service_.restart_status(partition);
        } else {
            service_.revoke(partition);
            reached_.erase(partition);
        }
    }

 private:
    void run() {
        while (!stopping()) {
            const auto polled = consumer_->poll(options_.idle, [&](const ConsumerRecord& record) { handle(record); });
            if (abandoned_) {
                return;
            }
            if (!polled) {
                service_.metrics().bus_errors.Increment();
                complain("read the bus", polled.error());
                pause();
                continue;
            }
            const Millis began = clock_.monotonic();
            const std::uint64_t lag = consumer_->lag();
            service_.metrics().lag.Set(static_cast<double>(lag));
            if (consumer_->caught_up() && lag <= settle_lag_max) {
                service_.settle(clock_.now());
            }
            if (!end_turn()) {
                return;  // stopping, with a turn that the next start repeats
            }
            if (*polled > 0) {
                service_.metrics().batch_seconds.Observe(
                    std::chrono::duration<double>(clock_.monotonic() - began).count());
            }
        }
    }

    void handle(const ConsumerRecord& record) {
        if (record.topic == bus_topics::status) {
            service_.on_status(record.partition, record.key, record.tombstone ? std::string_view{} : record.value);
            return;
        }
        service_.on_request(record.partition, record.offset, record.header(event_header_name), record.key,
                            record.value);
        reached_[record.partition] = record.offset + 1;
    }

    /// Commits, sends, commits the offsets, in this order. False when the role is stopped before that is done.
    bool end_turn() {
        service_.finish();
        if (!service_.writes().empty() &&
            !repeat("write documents", [&] { return store_.commit(service_.writes()); })) {
            return false;
        }
        if (!send()) {
            return false;
        }
        for (const auto& reached : reached_) {
            if (!repeat("commit an offset", [&] { return commit(reached.first, reached.second); })) {
                return false;
            }
        }
        reached_.clear();
        service_.end_turn();
        return true;
    }

    /// A partition that is another's by now is that one's to commit; the next poll() tells this role.
    Result<void> commit(Partition partition, Offset next) {
        auto committed = consumer_->commit(bus_topics::requests, partition, next);
        return !committed && committed.error().code == ErrorCode::conflict ? Result<void>() : committed;
    }

    bool send() {
        std::vector<std::size_t> unsent(service_.downlinks().size());
        std::iota(unsent.begin(), unsent.end(), std::size_t{0});
        while (!unsent.empty()) {
            sender_.send(service_.downlinks(), unsent);
            if (!unsent.empty() && !pause()) {
                return false;
            }
        }
        return true;
    }

    /// Until it succeeds; false when the role is stopped first.
    template <class Step>
    bool repeat(std::string_view what, const Step& step) {
        while (true) {
            const Result<void> done = step();
            if (done) {
                return true;
            }
            service_.metrics().store_errors.Increment();
            complain(what, done.error());
            if (!pause()) {
                return false;
            }
        }
    }

    void complain(std::string_view what, const Error& error) {
        std::uint64_t swallowed = 0;
        if (log_limit_.allow(clock_.monotonic(), swallowed)) {
            spdlog::error("shadow: cannot {}: {} ({} more)", what, error.message(), swallowed);
        }
    }

    /// False when the role is to stop.
    bool pause() {
        std::unique_lock lock(mutex_);
        return !wakened_.wait_for(lock, options_.retry, [&] { return stopping_; });
    }

    bool stopping() {
        const std::lock_guard lock(mutex_);
        return stopping_;
    }

    const ShadowOptions options_;
    DocumentStore& store_;
    const Clock& clock_;
    ShadowService service_;
    DownlinkSender sender_;
    LogLimit log_limit_;
    std::map<Partition, Offset> reached_;  ///< of muster.requests, handled in this turn and not yet committed
    bool abandoned_ = false;               ///< stopped before a partition was loaded: its records must not be applied
    std::mutex mutex_;
    std::condition_variable wakened_;
    bool stopping_ = false;
    std::unique_ptr<Consumer> consumer_;  ///< after all that its listener touches
    std::thread thread_;
};

Result<std::unique_ptr<Shadow>> Shadow::start(ShadowOptions options, Bus& bus, DocumentStore& store, const Clock& clock,
                                              MetricRegistry& metrics) {
    auto worker = std::make_unique<Worker>(std::move(options), bus, store, clock, metrics);
    if (auto started = worker->start(bus); !started) {
        return tl::unexpected(started.error());
    }
    return std::unique_ptr<Shadow>(new Shadow(std::move(worker)));
}

Shadow::Shadow(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
Shadow::~Shadow() = default;

void Shadow::stop() {
    worker_->stop();
}

}  // namespace muster
