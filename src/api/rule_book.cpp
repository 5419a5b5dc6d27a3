#include "api/rule_book.h"

#include "base/log.h"
#include "base/thread.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"

namespace muster {
namespace {

constexpr Millis rules_poll_wait{500};
constexpr Millis rules_retry_wait{100};

}  // namespace

RuleBook::RuleBook(MetricRegistry& metrics, const Clock& clock)
    : clock_(clock),
      malformed_(
          metrics.counter("muster_api_malformed_rules_total", "Records of muster.rules that could not be read.")),
      under_way_gauge_(metrics.gauge("muster_api_rule_changes_pending", "Changes of rules that are not yet durable.")) {
    rules_.emplace(default_rule().name, default_rule());
}

Result<std::unique_ptr<RuleBook>> RuleBook::start(std::string name, Bus& bus, MetricRegistry& metrics,
                                                  const Clock& clock) {
    std::unique_ptr<RuleBook> book(new RuleBook(metrics, clock));
    if (auto opened = book->open(std::move(name), bus); !opened) {
        return tl::unexpected(opened.error());
    }
    book->thread_ = start_thread("api-rules", [raw = book.get()] { raw->run(); });
    return book;
}

Result<void> RuleBook::open(std::string name, Bus& bus) {
    const auto topic = bus.open_topic(standard_topic(bus_topics::rules));
    if (!topic) {
        return tl::unexpected(topic.error());
    }
    topic_ = *topic;
    ConsumerOptions reader;
    reader.topics = {std::string(bus_topics::rules)};
    auto consumer = bus.consumer(std::move(reader));
    if (!consumer) {
        return tl::unexpected(consumer.error());
    }
    consumer_ = std::move(*consumer);
    ProducerOptions writer;
    writer.name = std::move(name);
    writer.on_deliveries_ready = [wakes = consumer_.get()] { wakes->wake(); };
    producer_ = bus.producer(std::move(writer));
    return {};
}

RuleBook::~RuleBook() {
    stop();
}

void RuleBook::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    if (thread_.joinable()) {
        consumer_->wake();
        thread_.join();
    }
}

bool RuleBook::is_stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

std::vector<AlertRule> RuleBook::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<AlertRule> out;
    out.reserve(rules_.size());
    for (const auto& [name, rule] : rules_) {
        out.push_back(rule);
    }
    return out;
}

std::optional<AlertRule> RuleBook::find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto found = rules_.find(name);
    return found == rules_.end() ? std::nullopt : std::optional(found->second);
}

void RuleBook::put(const AlertRule& rule, OnDurable done) {
    submit({rule.name, rule, std::move(done)});
}

void RuleBook::remove(const std::string& name, OnDurable done) {
    submit({name, std::nullopt, std::move(done)});
}

Result<void> RuleBook::enqueue(Change& change) {
    const std::lock_guard lock(mutex_);
    const auto found = rules_.find(change.name);
    const bool is_new = found == rules_.end();
    if (stopping_) {
        return fail(ErrorCode::closed, "the server is stopping");
    }
    if (!is_new && found->second.origin == "file") {
        return fail(ErrorCode::conflict, "this rule belongs to the rules file: change it there", change.name);
    }
    if (!change.rule && (is_new || found->second.origin == "built_in")) {
        return fail(ErrorCode::not_found, "there is no such rule that could be removed", change.name);
    }
    if (under_way_ >= changes_max || (is_new && rules_.size() >= rules_max)) {
        return fail(ErrorCode::queue_full, is_new ? "there are too many rules" : "too many changes are under way");
    }
    ++under_way_;
    under_way_gauge_.Set(static_cast<double>(under_way_));
    waiting_.push_back(std::move(change));
    return {};
}

void RuleBook::submit(Change change) {
    if (auto queued = enqueue(change); !queued) {
        return change.done(std::move(queued));
    }
    consumer_->wake();
}

void RuleBook::run() {
    while (!is_stopping()) {
        // The first passes do not wait, so that readiness follows at once.
        const auto polled = consumer_->poll(ready_ ? rules_poll_wait : Millis(10),
                                            [this](const ConsumerRecord& record) { on_record(record); });
        if (!polled) {
            spdlog::warn("api: rules cannot be read: {}", polled.error().message());
            std::this_thread::sleep_for(rules_retry_wait);
        }
        ready_ = ready_ || consumer_->caught_up();
        send_waiting();
        producer_->poll([this](const Delivery& delivery) { on_delivery(delivery); });
    }
    std::deque<Change> left;
    {
        const std::lock_guard lock(mutex_);
        left.swap(waiting_);
    }
    for (auto& [token, change] : pending_) {
        left.push_back(std::move(change));
    }
    for (Change& change : left) {
        change.done(fail(ErrorCode::closed, "the server is stopping; the change may still happen"));
    }
}

void RuleBook::send_waiting() {
    std::deque<Change> taken;
    {
        const std::lock_guard lock(mutex_);
        taken.swap(waiting_);
    }
    for (Change& change : taken) {
        send(std::move(change));
    }
    if (!taken.empty()) {
        producer_->flush();
    }
}

void RuleBook::send(Change change) {
    const std::uint64_t token = next_token_++;
    const Change& pending = pending_.emplace(token, std::move(change)).first->second;
    const std::string value = pending.rule ? to_json(*pending.rule) : std::string();
    const ProducerRecord record{
        .key = pending.name, .value = value, .headers = {}, .time = clock_.now(), .tombstone = !pending.rule};
    if (const auto sent = producer_->send(topic_, record, token); !sent) {
        on_delivery({token, false, sent.error().code});
    }
}

void RuleBook::on_delivery(const Delivery& delivery) {
    auto taken = pending_.extract(delivery.token);
    if (taken.empty()) {
        return;
    }
    Change& change = taken.mapped();
    {
        const std::lock_guard lock(mutex_);
        --under_way_;
        under_way_gauge_.Set(static_cast<double>(under_way_));
        if (delivery.durable) {
            apply(change.name, change.rule);
        }
    }
    change.done(delivery.durable ? Result<void>() : fail(delivery.error, "the bus did not take the change"));
}

/// Under mutex_.
void RuleBook::apply(const std::string& name, const std::optional<AlertRule>& rule) {
    if (rule) {
        rules_.insert_or_assign(name, *rule);
    } else if (name == default_rule().name) {
        rules_.insert_or_assign(name, default_rule());  // the built-in one cannot be lost, only replaced
    } else {
        rules_.erase(name);
    }
}

void RuleBook::on_record(const ConsumerRecord& record) {
    std::optional<AlertRule> rule;
    if (!record.tombstone) {
        auto parsed = parse_alert_rule(record.value);
        if (!parsed || parsed->name != record.key) {
            malformed_.Increment();
            return;
        }
        rule = std::move(*parsed);
    }
    const std::lock_guard lock(mutex_);
    apply(std::string(record.key), rule);
}

}  // namespace muster
