#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <unistd.h>

#include "base/assert.h"
#include "base/time.h"
#include "bus/bus.h"
#include "history/history_store.h"
#include "shadow/document_store.h"
#include "status/status_store.h"

// Ports in memory for this module's tests: small, thread-safe, nothing survives them.

namespace muster {

/// A clock that a test moves while other threads read it.
class SharedManualClock final : public Clock {
 public:
    [[nodiscard]] Timestamp now() const override { return from_epoch_ms(1'700'000'000'000) + Millis(elapsed_ms_); }
    [[nodiscard]] Millis monotonic() const override { return Millis(elapsed_ms_); }
    void advance(Millis by) { elapsed_ms_ += by.count(); }

 private:
    std::atomic<std::int64_t> elapsed_ms_{0};
};

/// A new directory, removed at the end.
class TestDirectory final {
 public:
    TestDirectory() : path_((std::filesystem::temp_directory_path() / "muster-api-XXXXXX").string()) {
        MUSTER_ASSERT(::mkdtemp(path_.data()) != nullptr);
    }
    ~TestDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

 private:
    std::string path_;
};

/// A bus of one partition a topic. A record is durable at once; `on_append` sees it and may append in turn.
class MemoryBus final : public Bus {
 public:
    struct Record {
        std::string key;
        std::string value;
        std::vector<std::pair<std::string, std::string>> headers;
        bool tombstone = false;

        [[nodiscard]] std::string_view header(std::string_view name) const {
            for (const auto& [candidate, value_of] : headers) {
                if (candidate == name) {
                    return value_of;
                }
            }
            return {};
        }
    };

    std::function<void(const std::string& topic, const Record&)> on_append;
    std::atomic<bool> refuses{false};  ///< send() says queue_full

    void append(const std::string& topic, Record record) {
        {
            const std::lock_guard lock(mutex_);
            topics_[topic].push_back(record);
        }
        changed_.notify_all();
        if (on_append) {
            on_append(topic, record);
        }
    }

    Result<TopicId> open_topic(const TopicSpec& spec) override {
        const std::lock_guard lock(mutex_);
        topics_[spec.name];
        for (std::size_t i = 0; i < names_.size(); ++i) {
            if (names_[i] == spec.name) {
                return static_cast<TopicId>(i);
            }
        }
        names_.push_back(spec.name);
        return static_cast<TopicId>(names_.size() - 1);
    }
    std::unique_ptr<Producer> producer(ProducerOptions options) override {
        return std::make_unique<MemoryProducer>(*this, std::move(options));
    }
    Result<std::unique_ptr<Consumer>> consumer(ConsumerOptions options) override {
        return std::make_unique<MemoryConsumer>(*this, std::move(options));
    }
    Partition partitions() const override { return 1; }

 private:
    class MemoryProducer final : public Producer {
     public:
        MemoryProducer(MemoryBus& bus, ProducerOptions options) : bus_(bus), options_(std::move(options)) {}
        Result<void> send(TopicId topic, const ProducerRecord& record, std::uint64_t token) override {
            if (bus_.refuses) {
                return fail(ErrorCode::queue_full, "full");
            }
            Record copy{std::string(record.key), std::string(record.value), {}, record.tombstone};
            for (const RecordHeader& header : record.headers) {
                copy.headers.emplace_back(header.name, header.value);
            }
            bus_.append(bus_.name(topic), std::move(copy));
            if (token != 0) {
                deliveries_.push_back({token, true, ErrorCode::unavailable});
                options_.on_deliveries_ready();
            }
            return {};
        }
        void flush() override {}
        std::size_t poll(FunctionRef<void(const Delivery&)> on_delivery) override {
            const auto deliveries = std::exchange(deliveries_, {});
            for (const Delivery& delivery : deliveries) {
                on_delivery(delivery);
            }
            return deliveries.size();
        }
        Result<void> drain(Millis) override { return {}; }
        std::size_t queued_bytes() const override { return 0; }

     private:
        MemoryBus& bus_;
        ProducerOptions options_;
        std::vector<Delivery> deliveries_;
    };

    class MemoryConsumer final : public Consumer {
     public:
        MemoryConsumer(MemoryBus& bus, ConsumerOptions options) : bus_(bus), topic_(options.topics.at(0)) {
            const std::lock_guard lock(bus_.mutex_);
            at_ = options.start == ConsumerOptions::Start::latest ? bus_.topics_[topic_].size() : 0;
        }
        Result<std::size_t> poll(Millis timeout, FunctionRef<void(const ConsumerRecord&)> on_record) override {
            std::vector<Record> records;
            {
                std::unique_lock lock(bus_.mutex_);
                bus_.changed_.wait_for(lock, timeout, [this] { return woken_ || at_ < bus_.topics_[topic_].size(); });
                woken_ = false;
                auto& stored = bus_.topics_[topic_];
                records.assign(stored.begin() + static_cast<std::ptrdiff_t>(at_), stored.end());
                at_ = stored.size();
                caught_up_ = true;
            }
            for (const Record& record : records) {
                std::vector<RecordHeader> headers;
                for (const auto& [name, value] : record.headers) {
                    headers.push_back({name, value});
                }
                ConsumerRecord view;
                view.topic = topic_;
                view.key = record.key;
                view.value = record.value;
                view.headers = headers;
                view.tombstone = record.tombstone;
                on_record(view);
            }
            return records.size();
        }
        Result<void> commit(std::string_view, Partition, Offset) override { return {}; }
        void seek(std::string_view, Partition, Offset) override {}
        std::uint64_t lag() const override { return 0; }
        bool caught_up() const override { return caught_up_; }
        void wake() override {
            {
                const std::lock_guard lock(bus_.mutex_);
                woken_ = true;
            }
            bus_.changed_.notify_all();
        }

     private:
        MemoryBus& bus_;
        std::string topic_;
        std::size_t at_ = 0;      // under bus_.mutex_
        bool woken_ = false;      // under bus_.mutex_
        bool caught_up_ = false;  // the reader's
    };

    std::string name(TopicId id) {
        const std::lock_guard lock(mutex_);
        return names_.at(id);
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, std::vector<Record>> topics_;
    std::vector<std::string> names_;
};

class MemoryStatusStore final : public StatusStore {
 public:
    Result<void> apply(std::span<const StatusDocument> transitions, std::span<const StatusTouch> touches) override {
        std::shared_ptr<Watcher> watcher;
        {
            const std::lock_guard lock(mutex_);
            for (const StatusDocument& document : transitions) {
                DeviceStatus& device = devices_[document.id];
                device.document = document;
                device.last_seen = std::max(device.last_seen, document.last_seen);
            }
            for (const StatusTouch& touch : touches) {
                touch_locked(touch);
            }
            watcher = watcher_.lock();
        }
        if (watcher) {
            for (const StatusDocument& document : transitions) {
                watcher->on_transition(document);
            }
            for (const StatusTouch& touch : touches) {
                watcher->on_touch(touch);
            }
        }
        return {};
    }
    Result<std::optional<DeviceStatus>> get(std::string_view id) const override {
        const std::lock_guard lock(mutex_);
        const auto found = devices_.find(id);
        return found == devices_.end() ? std::nullopt : std::optional(found->second);
    }
    Result<DevicePage> list(const DeviceFilter& filter, std::string_view after, std::size_t limit) const override {
        const std::lock_guard lock(mutex_);
        DevicePage page;
        for (auto at = devices_.upper_bound(after); at != devices_.end(); ++at) {
            if (!matches(filter, at->second.document)) {
                continue;
            }
            if (page.devices.size() == limit) {
                page.next_after = page.devices.back().document.id;
                break;
            }
            page.devices.push_back(at->second);
        }
        return page;
    }
    Result<RegionCounts> counts(std::string_view region) const override {
        const std::lock_guard lock(mutex_);
        RegionCounts sum;
        for (const auto& [id, device] : devices_) {
            for_each_region_of(device.document.attributes.region, [&, &status = device](std::string_view each) {
                if (each == region) {
                    sum += contribution_of(status.document);
                }
            });
        }
        return sum;
    }
    Result<std::vector<std::pair<std::string, RegionCounts>>> regions() const override {
        const std::lock_guard lock(mutex_);
        std::map<std::string, RegionCounts> sums;
        for (const auto& [id, device] : devices_) {
            for_each_region_of(device.document.attributes.region, [&, &status = device](std::string_view each) {
                sums[std::string(each)] += contribution_of(status.document);
            });
        }
        return std::vector<std::pair<std::string, RegionCounts>>(sums.begin(), sums.end());
    }
    std::shared_ptr<void> watch(OnTransition on_transition, OnTouch on_touch) override {
        auto watcher = std::make_shared<Watcher>(Watcher{std::move(on_transition), std::move(on_touch)});
        const std::lock_guard lock(mutex_);
        watcher_ = watcher;
        return watcher;
    }
    Result<void> checkpoint() override { return {}; }

 private:
    struct Watcher {
        OnTransition on_transition;
        OnTouch on_touch;
    };
    static bool matches(const DeviceFilter& filter, const StatusDocument& document) {
        const std::string& region = document.attributes.region;
        return (!filter.state || *filter.state == document.state) &&
               (!filter.overlay || has(document.overlays, *filter.overlay)) &&
               (filter.region.empty() || region == filter.region || region.starts_with(filter.region + "/")) &&
               (filter.model.empty() || filter.model == document.attributes.model) &&
               document.id.starts_with(filter.id_prefix);
    }
    void touch_locked(const StatusTouch& touch) {
        DeviceStatus& device = devices_.find(touch.id)->second;
        device.last_seen = touch.last_seen;
        device.telemetry_time = touch.telemetry_time;
        device.metrics.clear();
        for (const auto& [name, value] : touch.metrics) {
            device.metrics.emplace_back(name, value);
        }
    }

    mutable std::mutex mutex_;
    std::map<std::string, DeviceStatus, std::less<>> devices_;
    std::weak_ptr<Watcher> watcher_;
};

class MemoryHistoryStore final : public HistoryStore {
 public:
    Result<void> append(std::span<const Sample> samples) override {
        const std::lock_guard lock(mutex_);
        for (const Sample& sample : samples) {
            for (const auto& [name, value] : sample.metrics) {
                samples_[std::string(sample.device)][std::string(name)][sample.time] = value;
            }
        }
        return {};
    }
    Result<void> append_transition(std::string_view device, const Transition& transition) override {
        const std::lock_guard lock(mutex_);
        transitions_[std::string(device)].push_front(transition);
        return {};
    }
    Result<void> checkpoint() override { return {}; }
    Result<HistoryResult> query(const HistoryQuery& query) const override {
        const std::lock_guard lock(mutex_);
        HistoryResult result{"raw", {}};
        const auto device = samples_.find(query.device);
        if (device == samples_.end()) {
            return result;
        }
        for (const auto& [metric, values] : device->second) {
            if (!query.metrics.empty() &&
                std::find(query.metrics.begin(), query.metrics.end(), metric) == query.metrics.end()) {
                continue;
            }
            HistorySeries series{metric, {}};
            for (auto at = values.lower_bound(query.from); at != values.end() && at->first < query.to; ++at) {
                series.points.push_back({at->first, at->second, at->second, at->second, 1});
            }
            result.series.push_back(std::move(series));
        }
        return result;
    }
    using HistoryStore::transitions;
    Result<std::vector<Transition>> transitions(const TransitionQuery& query) const override {
        const std::lock_guard lock(mutex_);
        std::vector<Transition> out;
        const auto found = transitions_.find(query.device);
        for (const Transition& transition : found == transitions_.end() ? std::deque<Transition>{} : found->second) {
            const bool before_end =
                std::pair(transition.time, transition.offset) < std::pair(query.to, query.to_offset);
            if (transition.time >= query.from && before_end && !transition.moved && out.size() < query.limit) {
                out.push_back(transition);
            }
        }
        return out;
    }
    Result<void> presence_at(Timestamp at, std::string_view after, PastPresenceVisitor visit) const override {
        const std::lock_guard lock(mutex_);
        if (at < presence_from) {
            return fail(ErrorCode::not_found, "the presence history does not reach back so far");
        }
        for (const auto& [device, entries] : transitions_) {
            const auto last =
                std::find_if(entries.begin(), entries.end(), [&](const Transition& entry) { return entry.time <= at; });
            if (device > after && last != entries.end() &&
                !visit({device, last->state, last->cause, last->overlays, last->time, last->region})) {
                break;
            }
        }
        return {};
    }
    std::optional<Timestamp> presence_since() const override { return presence_from; }
    Result<FleetSeries> fleet_series(const FleetQuery& query) const override {
        const std::lock_guard lock(mutex_);
        std::map<Timestamp, FleetPoint> minutes;
        for (const std::string& device : query.devices) {
            for (const auto& [time, value] : values_of(device, query.metric, query.from, query.to)) {
                const Timestamp minute = std::chrono::floor<std::chrono::minutes>(time);
                FleetPoint& point =
                    minutes.try_emplace(minute, FleetPoint{minute, 0, value, value, 0, 0}).first->second;
                point.average += (value - point.average) / static_cast<double>(++point.samples);
                point.minimum = std::min(point.minimum, value);
                point.maximum = std::max(point.maximum, value);
                point.devices = static_cast<std::uint32_t>(query.devices.size());
            }
        }
        FleetSeries series{Millis(60'000), {}, 0};
        for (const auto& [minute, point] : minutes) {
            series.points.push_back(point);
        }
        return series;
    }
    Result<TopResult> top(const TopQuery& query) const override {
        const std::lock_guard lock(mutex_);
        TopResult result;
        for (const auto& [device, metrics] : samples_) {
            const auto values = values_of(device, query.metric, query.from, query.to);
            const bool asked = !query.devices || std::ranges::find(*query.devices, device) != query.devices->end();
            if (!values.empty() && asked) {
                result.changes.push_back(
                    {device, values.begin()->second, values.rbegin()->second, 0, 0, values.size()});
                ++result.devices;
            }
        }
        result.changes.resize(std::min(result.changes.size(), query.limit));
        return result;
    }
    Result<ScanResult> scan(const ScanQuery& query, SampleVisitor visit) const override {
        const std::lock_guard lock(mutex_);
        ScanResult result;
        for (const auto& [device, metrics] : samples_) {
            if (query.device.empty() ? device <= query.after_device : device != query.device) {
                continue;
            }
            std::map<Timestamp, std::vector<std::pair<std::string_view, double>>> rows;
            for (const auto& [metric, values] : metrics) {
                for (const auto& [time, value] : values_of(device, metric, query.from, query.to)) {
                    rows[time].emplace_back(metric, value);
                }
            }
            for (const auto& [time, row] : rows) {
                ++result.samples;
                if (!visit(Sample{device, time, row})) {
                    return result;
                }
            }
        }
        return result;
    }
    Result<HistoryCheck> verify(FunctionRef<bool(std::uint64_t)> go_on) const override {
        ++checks_begun;
        checks_begun.notify_all();
        while (check_waits && go_on(1)) {
        }
        HistoryCheck check;
        check.chunks = 1;
        return check;
    }

    Timestamp presence_from = from_epoch_ms(1'600'000'000'000);
    std::atomic<bool> check_waits{false};  ///< verify() goes on and on until this is false or nobody wants it any more
    mutable std::atomic<int> checks_begun{0};

 private:
    std::map<Timestamp, double> values_of(const std::string& device, const std::string& metric, Timestamp from,
                                          Timestamp to) const {
        const auto found = samples_.find(device);
        const auto metrics = found == samples_.end() ? nullptr : &found->second;
        const auto values = metrics == nullptr          ? std::map<Timestamp, double>{}
                            : metrics->contains(metric) ? metrics->at(metric)
                                                        : std::map<Timestamp, double>{};
        return {values.lower_bound(from), values.lower_bound(to)};
    }

    mutable std::mutex mutex_;
    std::map<std::string, std::map<std::string, std::map<Timestamp, double>>> samples_;
    std::map<std::string, std::deque<Transition>, std::less<>> transitions_;  // newest first
};

class MemoryDocumentStore final : public DocumentStore {
 public:
    Result<std::optional<std::string>> get(std::string_view collection, std::string_view key) const override {
        const std::lock_guard lock(mutex_);
        const auto found = documents_.find({std::string(collection), std::string(key)});
        return found == documents_.end() ? std::nullopt : std::optional(found->second);
    }
    Result<std::vector<std::pair<std::string, std::string>>> list(std::string_view collection, std::string_view prefix,
                                                                  std::string_view after,
                                                                  std::size_t limit) const override {
        const std::lock_guard lock(mutex_);
        std::vector<std::pair<std::string, std::string>> out;
        for (const auto& [key, document] : documents_) {
            if (key.first == collection && key.second.starts_with(prefix) && key.second > after && out.size() < limit) {
                out.emplace_back(key.second, document);
            }
        }
        return out;
    }
    Result<void> commit(std::span<const DocumentWrite> writes) override {
        const std::lock_guard lock(mutex_);
        for (const DocumentWrite& write : writes) {
            std::pair key{std::string(write.collection), write.key};
            if (write.document) {
                documents_[key] = *write.document;
            } else {
                documents_.erase(key);
            }
        }
        return {};
    }

 private:
    mutable std::mutex mutex_;
    std::map<std::pair<std::string, std::string>, std::string> documents_;
};

}  // namespace muster
