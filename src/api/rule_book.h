#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "bus/bus.h"
#include "contract/alert_rule.h"

namespace muster {

/// The rules on muster.rules, for reading at once and for writing: one thread of its own reads the topic from its
/// beginning and writes what is asked. A change is in the table before it is answered. Any thread. Bounded: rules_max
/// rules, changes_max changes not yet durable.
class RuleBook final {
 public:
    static constexpr std::size_t rules_max = 4096;  ///< as many as the alerts role takes
    static constexpr std::size_t changes_max = 256;
    using OnDurable = std::function<void(Result<void>)>;

    [[nodiscard]] static Result<std::unique_ptr<RuleBook>> start(std::string name, Bus& bus, MetricRegistry& metrics,
                                                                 const Clock& clock);
    ~RuleBook();
    RuleBook(const RuleBook&) = delete;
    RuleBook& operator=(const RuleBook&) = delete;

    /// By name; the built-in rule is always there.
    [[nodiscard]] std::vector<AlertRule> list() const;
    [[nodiscard]] std::optional<AlertRule> find(std::string_view name) const;

    /// Writes the rule. `done` is called once, from the book's thread or at once: conflict: it belongs to the rules
    /// file; queue_full: too many changes under way, or too many rules; unavailable, closed: the bus did not take it.
    void put(const AlertRule& rule, OnDurable done);
    /// not_found: there is no such rule, or it is the built-in one as it came.
    void remove(const std::string& name, OnDurable done);

    /// True once everything that was there at the start has been read.
    [[nodiscard]] bool is_ready() const { return ready_; }
    /// Fails what is under way with `closed` and joins. Twice is fine.
    void stop();

 private:
    struct Change {
        std::string name;
        std::optional<AlertRule> rule;  ///< absent: remove it
        OnDurable done;
    };

    RuleBook(MetricRegistry& metrics, const Clock& clock);
    Result<void> open(std::string name, Bus& bus);
    void submit(Change change);
    /// Takes the change into the queue, or says why not.
    [[nodiscard]] Result<void> enqueue(Change& change);
    void run();
    void send_waiting();
    void send(Change change);
    void on_record(const ConsumerRecord& record);
    void on_delivery(const Delivery& delivery);
    void apply(const std::string& name, const std::optional<AlertRule>& rule);
    [[nodiscard]] bool is_stopping();

    const Clock& clock_;
    TopicId topic_ = 0;
    std::unique_ptr<Consumer> consumer_;                 // the thread's, apart from wake()
    std::unique_ptr<Producer> producer_;                 // the thread's; its reports wake consumer_
    std::unordered_map<std::uint64_t, Change> pending_;  // the thread's
    std::uint64_t next_token_ = 1;                       // the thread's

    mutable std::mutex mutex_;
    std::map<std::string, AlertRule, std::less<>> rules_;  // under mutex_
    std::deque<Change> waiting_;                           // under mutex_
    std::size_t under_way_ = 0;                            // under mutex_
    bool stopping_ = false;                                // under mutex_
    std::atomic<bool> ready_{false};
    Counter& malformed_;
    Gauge& under_way_gauge_;
    std::thread thread_;
};

}  // namespace muster
