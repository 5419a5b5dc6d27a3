#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/metrics.h"
#include "bus/embedded_bus.h"
#include "contract/event.h"
#include "history/history_store.h"
#include "status/status_store.h"
#include "storage/scratch_directory.h"

namespace muster::sim {

/// How long a test waits for a thread of a role; reached only by a test that fails.
inline constexpr std::chrono::seconds patience{60};

/// What the roles' threads wrote, for a test to wait on. Can be told to refuse. Any thread.
class RecordingStores final : public StatusStore, public HistoryStore {
 public:
    // StatusStore
    Result<void> apply(std::span<const StatusDocument> documents, std::span<const StatusTouch> touches) override {
        const std::lock_guard lock(mutex_);
        if (refuse_) {
            ++refused_;
            changed_.notify_all();
            return fail(ErrorCode::unavailable, "told to refuse");
        }
        for (const StatusDocument& document : documents) {
            StatusDocument& kept = documents_[document.id];
            if (kept.id.empty() || kept.offset < document.offset) {
                kept = document;
            }
        }
        touches_ += touches.size();
        changed_.notify_all();
        return {};
    }
    Result<std::optional<DeviceStatus>> get(std::string_view) const override { return std::nullopt; }
    Result<DevicePage> list(const DeviceFilter&, std::string_view, std::size_t) const override { return DevicePage{}; }
    Result<RegionCounts> counts(std::string_view) const override { return RegionCounts{}; }
    Result<std::vector<std::pair<std::string, RegionCounts>>> regions() const override {
        return std::vector<std::pair<std::string, RegionCounts>>{};
    }
    std::shared_ptr<void> watch(OnTransition, OnTouch) override { return nullptr; }
    std::uint64_t losses() const override { return losses_.load(); }

    // HistoryStore
    Result<void> append(std::span<const Sample> samples) override {
        const std::lock_guard lock(mutex_);
        for (const Sample& sample : samples) {
            for (const auto& [metric, value] : sample.metrics) {
                samples_[std::string(sample.device) + "/" + std::string(metric)][to_epoch_ms(sample.time)] = value;
            }
        }
        changed_.notify_all();
        return {};
    }
    Result<void> append_transition(std::string_view device, const Transition& transition) override {
        const std::lock_guard lock(mutex_);
        if (!transition.moved) {
            transitions_[std::string(device)][transition.offset] = transition;
        }
        return {};
    }
    Result<HistoryResult> query(const HistoryQuery&) const override { return HistoryResult{}; }
    using HistoryStore::transitions;
    Result<std::vector<Transition>> transitions(const TransitionQuery&) const override {
        return std::vector<Transition>{};
    }
    Result<void> presence_at(Timestamp, std::string_view, PastPresenceVisitor) const override { return {}; }
    std::optional<Timestamp> presence_since() const override { return std::nullopt; }

    /// Of both ports.
    Result<void> checkpoint() override {
        const std::lock_guard lock(mutex_);
        ++checkpoints_;
        changed_.notify_all();
        if (checkpoints_to_fail_ > 0) {
            --checkpoints_to_fail_;
            return fail(ErrorCode::io, "not now");
        }
        return {};
    }

    void refuse(bool yes) {
        const std::lock_guard lock(mutex_);
        refuse_ = yes;
    }
    /// False: it did not come true in a test's patience.
    [[nodiscard]] bool wait(const std::function<bool(RecordingStores&)>& until) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [&] { return until(*this); });
    }
    /// As a server that was restarted empty.
    void lose_documents() {
        const std::lock_guard lock(mutex_);
        documents_.clear();
        losses_.fetch_add(1);
    }
    [[nodiscard]] bool wait_for_state(const std::string& device, PresenceState state) {
        return wait([&](RecordingStores& stores) { return stores.documents_[device].state == state; });
    }

    // Within wait(), or when no thread writes any more.
    std::map<std::string, StatusDocument> documents_;
    std::map<std::string, std::map<std::int64_t, double>> samples_;
    std::map<std::string, std::map<std::int64_t, Transition>> transitions_;
    std::size_t touches_ = 0;
    int checkpoints_ = 0;
    int checkpoints_to_fail_ = 0;
    int refused_ = 0;

 private:
    std::atomic<std::uint64_t> losses_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
    bool refuse_ = false;
};

/// A bus in a directory of its own, and a gateway's pen on it.
struct RoleFixture : testing::Test {
    static constexpr Partition partitions = 4;

    void SetUp() override {
        bus =
            std::move(*EmbeddedBus::open({.directory = directory.path() + "/bus", .partitions = partitions}, metrics));
        ProducerOptions gateway;
        gateway.name = "gateway";
        producer = bus->producer(std::move(gateway));
    }
    void TearDown() override { producer.reset(); }

    [[nodiscard]] TopicId open(std::string_view name, TopicSpec::Cleanup cleanup = TopicSpec::Cleanup::bounded) {
        return *bus->open_topic({.name = std::string(name), .cleanup = cleanup});
    }
    void send(TopicId topic, std::string_view key, std::string_view value, std::span<const RecordHeader> headers = {},
              Partition partition = any_partition) {
        ASSERT_TRUE(producer->send(
            topic, {.key = key, .value = value, .headers = headers, .time = now, .partition = partition}, 0));
    }
    void send_durably() { ASSERT_TRUE(producer->drain(patience)); }
    /// Every record that a topic holds, by reading it from its beginning.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> read_all(std::string_view topic) {
        ConsumerOptions reader;
        reader.topics = {std::string(topic)};
        auto consumer = bus->consumer(std::move(reader));
        std::vector<std::pair<std::string, std::string>> records;
        do {
            (void)(*consumer)->poll(
                Millis(20), [&](const ConsumerRecord& record) { records.emplace_back(record.key, record.value); });
        } while (!(*consumer)->caught_up());
        return records;
    }

    ScratchDirectory directory;
    MetricRegistry metrics;
    std::unique_ptr<EmbeddedBus> bus;
    std::unique_ptr<Producer> producer;
    Timestamp now = from_epoch_ms(1'700'000'000'000);
};

}  // namespace muster::sim
