#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bus/bus.h"
#include "contract/event.h"
#include "contract/share_assignments.h"

namespace muster {

/// A Bus in memory whose durability the test decides: records become durable at once, or when the test says so. Any
/// thread.
class FakeBus final : public Bus {
 public:
    /// A record as it was sent.
    struct Stored {
        std::string topic;
        Partition partition = 0;
        Offset offset = 0;
        Timestamp time{};
        std::string key;
        std::string value;
        std::string header;
        std::string properties;
        std::string shares;
        bool tombstone = false;

        /// Views point into this.
        [[nodiscard]] EventHeader event() const { return *decode_event_header(header); }
        [[nodiscard]] bool is_tick() const { return !header.empty() && event().kind == EventKind::tick; }
    };

    explicit FakeBus(Partition partitions = 4) : partitions_(partitions) {}

    Result<TopicId> open_topic(const TopicSpec& spec) override {
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < topics_.size(); ++i) {
            if (topics_[i] == spec.name) {
                return static_cast<TopicId>(i);
            }
        }
        topics_.push_back(spec.name);
        return static_cast<TopicId>(topics_.size() - 1);
    }
    std::unique_ptr<Producer> producer(ProducerOptions options) override;
    Result<std::unique_ptr<Consumer>> consumer(ConsumerOptions options) override;
    Partition partitions() const override { return partitions_; }

    std::function<void()> on_consumer;  ///< when one has begun, and has not polled yet

    /// From now on records are durable only when make_durable() says so.
    void hold_back() {
        const std::lock_guard lock(mutex_);
        holds_back_ = true;
    }
    /// Ticks too; else they are durable at once and no test need count them.
    void hold_back_ticks() {
        hold_back();
        const std::lock_guard lock(mutex_);
        holds_back_ticks_ = true;
    }
    /// The oldest `count` records that wait; `last` first when asked, as another partition might be faster.
    void make_durable(std::size_t count = SIZE_MAX, bool newest_first = false);
    /// Everything waiting fails.
    void fail_waiting();
    void release() {
        {
            const std::lock_guard lock(mutex_);
            holds_back_ = false;
        }
        make_durable();
    }

    /// What was sent to the topic, durable or not, in the order of sending, without ticks.
    [[nodiscard]] std::vector<Stored> sent(std::string_view topic) const;
    [[nodiscard]] std::vector<Stored> ticks() const;
    [[nodiscard]] std::size_t waiting() const {
        const std::lock_guard lock(mutex_);
        return waiting_.size();
    }
    /// As another gateway or role writes.
    void write(std::string_view topic, std::string_view key, std::string_view value, std::string header,
               bool tombstone = false, std::string properties = {}, std::string shares = {});

 private:
    class FakeProducer;
    class FakeConsumer;
    struct Waiting {
        Stored record;
        FakeProducer* producer = nullptr;
        std::uint64_t token = 0;
    };

    void settle(const Waiting& waiting, bool durable);
    void append(Stored record);
    [[nodiscard]] std::vector<Stored> select(std::string_view topic, bool ticks) const;

    const Partition partitions_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> topics_;
    std::vector<Stored> sent_;
    std::deque<Waiting> waiting_;
    std::vector<Stored> log_;  ///< durable
    std::map<std::pair<std::string, Partition>, Offset> ends_;
    bool holds_back_ = false;
    bool holds_back_ticks_ = false;
};

class FakeBus::FakeProducer final : public Producer {
 public:
    FakeProducer(FakeBus& bus, ProducerOptions options) : bus_(bus), options_(std::move(options)) {}
    ~FakeProducer() override {
        const std::lock_guard lock(bus_.mutex_);
        for (Waiting& waiting : bus_.waiting_) {
            if (waiting.producer == this) {
                waiting.producer = nullptr;
            }
        }
    }

    Result<void> send(TopicId topic, const ProducerRecord& record, std::uint64_t token) override {
        const std::lock_guard lock(bus_.mutex_);
        const std::size_t bytes = record.key.size() + record.value.size() + 100;
        if (queued_bytes_ + bytes > options_.queue_bytes_max) {
            return fail(ErrorCode::queue_full, "full");
        }
        queued_bytes_ += bytes;
        Stored stored;
        stored.topic = bus_.topics_[topic];
        stored.partition =
            record.partition == any_partition ? partition_of(record.key, bus_.partitions_) : record.partition;
        stored.time = record.time;
        stored.key = record.key;
        stored.value = record.value;
        ConsumerRecord as_read;
        as_read.headers = record.headers;
        stored.header = as_read.header(event_header_name);
        stored.properties = as_read.header(properties_header_name);
        stored.shares = as_read.header(shares_header_name);
        stored.tombstone = record.tombstone;
        bus_.sent_.push_back(stored);
        if (stored.is_tick() && !bus_.holds_back_ticks_) {
            queued_bytes_ -= bytes;
            bus_.append(std::move(stored));
            if (token != 0) {
                deliveries_.push_back({.token = token, .durable = true});
            }
        } else {
            bus_.waiting_.push_back({std::move(stored), this, token});
        }
        return {};
    }
    void flush() override {
        bool now = false;
        {
            const std::lock_guard lock(bus_.mutex_);
            now = !bus_.holds_back_ && !bus_.waiting_.empty();
        }
        if (now) {
            bus_.make_durable();
        }
    }
    std::size_t poll(FunctionRef<void(const Delivery&)> on_delivery) override {
        std::vector<Delivery> ready;
        {
            const std::lock_guard lock(bus_.mutex_);
            ready.swap(deliveries_);
        }
        for (const Delivery& delivery : ready) {
            on_delivery(delivery);
        }
        return ready.size();
    }
    Result<void> drain(Millis timeout) override {
        flush();
        std::unique_lock lock(bus_.mutex_);
        if (!bus_.changed_.wait_for(lock, timeout, [this] { return queued_bytes_ == 0; })) {
            return fail(ErrorCode::timed_out, "not durable in time");
        }
        return {};
    }
    std::size_t queued_bytes() const override {
        const std::lock_guard lock(bus_.mutex_);
        return queued_bytes_;
    }

    // Under the bus's mutex.
    void settled(const Waiting& waiting, bool durable) {
        queued_bytes_ -= waiting.record.key.size() + waiting.record.value.size() + 100;
        if (waiting.token != 0) {
            deliveries_.push_back({.token = waiting.token, .durable = durable});
        }
    }
    void wake() const {
        if (options_.on_deliveries_ready) {
            options_.on_deliveries_ready();
        }
    }

 private:
    FakeBus& bus_;
    const ProducerOptions options_;
    std::size_t queued_bytes_ = 0;
    std::vector<Delivery> deliveries_;
};

class FakeBus::FakeConsumer final : public Consumer {
 public:
    FakeConsumer(FakeBus& bus, ConsumerOptions options) : bus_(bus), options_(std::move(options)) {
        const std::lock_guard lock(bus_.mutex_);
        for (const std::string& topic : options_.topics) {
            for (Partition partition = 0; partition < bus_.partitions_; ++partition) {
                const auto place = options_.listener ? options_.listener->on_assigned(topic, partition) : std::nullopt;
                const Offset latest =
                    options_.start == ConsumerOptions::Start::latest ? bus_.ends_[{topic, partition}] : 0;
                from_[{topic, partition}] = place.value_or(latest);
            }
        }
    }
    Result<std::size_t> poll(Millis timeout, FunctionRef<void(const ConsumerRecord&)> on_record) override {
        std::vector<Stored> ready;
        {
            std::unique_lock lock(bus_.mutex_);
            bus_.changed_.wait_for(lock, timeout, [this] { return woken_ || next_ < bus_.log_.size(); });
            woken_ = false;
            for (; next_ < bus_.log_.size(); ++next_) {
                const Stored& record = bus_.log_[next_];
                const auto from = from_.find({record.topic, record.partition});
                if (from != from_.end() && record.offset >= from->second) {
                    ready.push_back(record);
                }
            }
        }
        for (const Stored& record : ready) {
            const std::array<RecordHeader, 3> headers{RecordHeader{event_header_name, record.header},
                                                      RecordHeader{properties_header_name, record.properties},
                                                      RecordHeader{shares_header_name, record.shares}};
            on_record({.topic = record.topic,
                       .partition = record.partition,
                       .offset = record.offset,
                       .time = record.time,
                       .key = record.key,
                       .value = record.value,
                       .headers = headers,
                       .tombstone = record.tombstone});
        }
        return ready.size();
    }
    Result<void> commit(std::string_view, Partition, Offset) override { return {}; }
    void seek(std::string_view, Partition, Offset) override {}
    std::uint64_t lag() const override { return 0; }
    bool caught_up() const override {
        const std::lock_guard lock(bus_.mutex_);
        return next_ == bus_.log_.size();
    }
    void wake() override {
        const std::lock_guard lock(bus_.mutex_);
        woken_ = true;
        bus_.changed_.notify_all();
    }

 private:
    FakeBus& bus_;
    const ConsumerOptions options_;
    std::map<std::pair<std::string, Partition>, Offset> from_;
    std::size_t next_ = 0;
    bool woken_ = false;
};

inline std::unique_ptr<Producer> FakeBus::producer(ProducerOptions options) {
    return std::make_unique<FakeProducer>(*this, std::move(options));
}

inline Result<std::unique_ptr<Consumer>> FakeBus::consumer(ConsumerOptions options) {
    std::unique_ptr<Consumer> consumer = std::make_unique<FakeConsumer>(*this, std::move(options));
    if (on_consumer) {
        on_consumer();
    }
    return consumer;
}

inline void FakeBus::append(Stored record) {
    record.offset = ends_[{record.topic, record.partition}]++;
    log_.push_back(std::move(record));
}

inline void FakeBus::settle(const Waiting& waiting, bool durable) {
    if (durable) {
        append(waiting.record);
    }
    if (waiting.producer != nullptr) {
        waiting.producer->settled(waiting, durable);
        waiting.producer->wake();
    }
}

inline void FakeBus::make_durable(std::size_t count, bool newest_first) {
    const std::lock_guard lock(mutex_);
    for (; count > 0 && !waiting_.empty(); --count) {
        const Waiting next = newest_first ? waiting_.back() : waiting_.front();
        newest_first ? waiting_.pop_back() : waiting_.pop_front();
        settle(next, true);
    }
    changed_.notify_all();
}

inline void FakeBus::fail_waiting() {
    const std::lock_guard lock(mutex_);
    for (; !waiting_.empty(); waiting_.pop_front()) {
        settle(waiting_.front(), false);
    }
    changed_.notify_all();
}

inline std::vector<FakeBus::Stored> FakeBus::select(std::string_view topic, bool ticks) const {
    const std::lock_guard lock(mutex_);
    std::vector<Stored> selected;
    for (const Stored& record : sent_) {
        if (record.topic == topic && record.is_tick() == ticks) {
            selected.push_back(record);
        }
    }
    return selected;
}

inline std::vector<FakeBus::Stored> FakeBus::sent(std::string_view topic) const {
    return select(topic, false);
}

inline std::vector<FakeBus::Stored> FakeBus::ticks() const {
    return select("muster.events", true);
}

inline void FakeBus::write(std::string_view topic, std::string_view key, std::string_view value, std::string header,
                           bool tombstone, std::string properties, std::string shares) {
    const std::lock_guard lock(mutex_);
    Stored record;
    record.topic = topic;
    record.partition = partition_of(key, partitions_);
    record.key = key;
    record.value = value;
    record.header = std::move(header);
    record.properties = std::move(properties);
    record.shares = std::move(shares);
    record.tombstone = tombstone;
    append(std::move(record));
    changed_.notify_all();
}

}  // namespace muster
