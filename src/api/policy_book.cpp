#include "api/policy_book.h"

#include "base/log.h"
#include "base/thread.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"

namespace muster {
namespace {

constexpr Millis poll_wait{500};
constexpr Millis retry_wait{200};

}  // namespace

PolicyBook::PolicyBook(RequestChannel& channel, MetricRegistry& metrics)
    : channel_(channel),
      malformed_(
          metrics.counter("muster_api_malformed_policies_total", "Records of muster.policy that could not be read.")),
      version_(metrics.gauge("muster_api_policy_version", "Version of the fleet's policy in force.")),
      windows_(metrics.gauge("muster_api_maintenance_windows", "Maintenance windows laid down, of at most 256.")) {}

Result<std::unique_ptr<PolicyBook>> PolicyBook::start(Bus& bus, RequestChannel& channel, MetricRegistry& metrics) {
    const TopicSpec topic = standard_topic(bus_topics::policy);
    if (const auto opened = bus.open_topic(topic); !opened) {
        return tl::unexpected(opened.error());
    }
    ConsumerOptions options;
    options.topics = {topic.name};
    auto consumer = bus.consumer(std::move(options));
    if (!consumer) {
        return tl::unexpected(consumer.error());
    }
    std::unique_ptr<PolicyBook> book(new PolicyBook(channel, metrics));
    book->consumer_ = std::move(*consumer);
    book->thread_ = start_thread("api-policy", [raw = book.get()] { raw->run(); });
    return book;
}

PolicyBook::~PolicyBook() {
    stop();
}

void PolicyBook::stop() {
    stopping_ = true;
    if (thread_.joinable()) {
        consumer_->wake();
        thread_.join();
    }
}

FleetPolicy PolicyBook::policy() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

void PolicyBook::change(FunctionRef<Result<void>(FleetPolicy&)> edit, RequestChannel::OnDurable done) {
    if (!ready_) {
        return done(fail(ErrorCode::unavailable, "the fleet's policy is still being read; try again in a moment"));
    }
    FleetPolicy next;
    std::string json;
    Result<void> edited;
    {
        const std::lock_guard lock(mutex_);
        next = current_;
        edited = edit(next);
        ++next.version;
        json = to_json(next);
        if (edited && json.size() > policy_bytes_max) {
            edited = fail(ErrorCode::too_large, "the fleet's policy would be over 256 KB: remove what has ended");
        }
        if (edited) {
            current_ = next;
        }
    }
    if (!edited) {
        return done(std::move(edited));
    }
    channel_.send_policy(std::move(json), [this, next = std::move(next), done = std::move(done)](Result<void> durable) {
        {
            const std::lock_guard lock(mutex_);
            if (durable && next.version > durable_.version) {
                durable_ = next;
            } else if (!durable && current_.version == next.version) {
                current_ = durable_;
                current_.version = next.version;  // which may have been heard: it is not given twice
            }
        }
        done(std::move(durable));
    });
}

void PolicyBook::run() {
    while (!stopping_) {
        // The first passes do not wait, so that readiness follows at once.
        const auto polled = consumer_->poll(ready_ ? poll_wait : Millis(10),
                                            [this](const ConsumerRecord& record) { on_record(record); });
        if (!polled) {
            spdlog::warn("api: the fleet's policy cannot be read: {}", polled.error().message());
            std::this_thread::sleep_for(retry_wait);
        }
        if (!ready_ && consumer_->caught_up()) {
            ready_ = true;
            say_again();
        }
    }
}

void PolicyBook::on_record(const ConsumerRecord& record) {
    auto policy = parse_fleet_policy(record.value);
    if (!policy) {
        malformed_.Increment();
        return;
    }
    const std::lock_guard lock(mutex_);
    version_.Set(static_cast<double>(policy->version));
    windows_.Set(static_cast<double>(policy->maintenance.size()));
    if (policy->version > durable_.version) {
        durable_ = *policy;
    }
    if (policy->version > current_.version) {
        current_ = std::move(*policy);
    }
}

/// A processor ignores what it knows; one whose partition is new, or that was not told because a start was cut short,
/// learns it here.
void PolicyBook::say_again() {
    const FleetPolicy known = policy();
    if (known.version == 0) {
        return;
    }
    channel_.send_policy(to_json(known), [](const Result<void>& durable) {
        if (!durable) {
            spdlog::warn("api: the fleet's policy could not be said again: {}", durable.error().message());
        }
    });
}

}  // namespace muster
