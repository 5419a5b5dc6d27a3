#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "bus/bus.h"

namespace muster {

/// A Bus that throws everything away: what is handed to it counts as durable at once, and nobody ever reads anything.
/// Shows what a role costs by itself. Any thread; holds the reports that were not asked for yet, and nothing else.
class DiscardingBus final : public Bus {
 public:
    [[nodiscard]] Result<TopicId> open_topic(const TopicSpec& spec) override {
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < topics_.size(); ++i) {
            if (topics_[i] == spec.name) {
                return static_cast<TopicId>(i);
            }
        }
        topics_.push_back(spec.name);
        return static_cast<TopicId>(topics_.size() - 1);
    }
    [[nodiscard]] std::unique_ptr<Producer> producer(ProducerOptions options) override {
        return std::make_unique<Sink>(std::move(options));
    }
    [[nodiscard]] Result<std::unique_ptr<Consumer>> consumer(ConsumerOptions /*options*/) override {
        return std::make_unique<Silence>();
    }
    [[nodiscard]] Partition partitions() const override { return 16; }

 private:
    /// Copies a record as a real one must, then forgets it.
    class Sink final : public Producer {
     public:
        explicit Sink(ProducerOptions options) : options_(std::move(options)) {}
        [[nodiscard]] Result<void> send(TopicId /*topic*/, const ProducerRecord& record, std::uint64_t token) override {
            copied_.append(record.key).append(record.value);
            if (token != 0) {
                reports_.push_back({.token = token, .durable = true});
            }
            return {};
        }
        void flush() override {
            copied_.clear();
            if (!reports_.empty() && options_.on_deliveries_ready) {
                options_.on_deliveries_ready();
            }
        }
        std::size_t poll(FunctionRef<void(const Delivery&)> on_delivery) override {
            std::vector<Delivery> reports;
            reports.swap(reports_);
            for (const Delivery& report : reports) {
                on_delivery(report);
            }
            return reports.size();
        }
        [[nodiscard]] Result<void> drain(Millis /*timeout*/) override {
            flush();
            return {};
        }
        [[nodiscard]] std::size_t queued_bytes() const override { return 0; }

     private:
        const ProducerOptions options_;
        std::string copied_;
        std::vector<Delivery> reports_;
    };

    /// Waits for what never comes.
    class Silence final : public Consumer {
     public:
        [[nodiscard]] Result<std::size_t> poll(Millis timeout, FunctionRef<void(const ConsumerRecord&)>) override {
            std::unique_lock lock(mutex_);
            wakened_.wait_for(lock, timeout, [this] { return woken_; });
            woken_ = false;
            return 0;
        }
        [[nodiscard]] Result<void> commit(std::string_view, Partition, Offset) override { return {}; }
        void seek(std::string_view, Partition, Offset) override {}
        [[nodiscard]] std::uint64_t lag() const override { return 0; }
        [[nodiscard]] bool caught_up() const override { return true; }
        void wake() override {
            {
                const std::lock_guard lock(mutex_);
                woken_ = true;
            }
            wakened_.notify_one();
        }

     private:
        std::mutex mutex_;
        std::condition_variable wakened_;
        bool woken_ = false;
    };

    std::mutex mutex_;  ///< guards topics_
    std::vector<std::string> topics_;
};

}  // namespace muster
