#include "status/redis_status_mirror.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/thread.h"

namespace muster {
namespace {

constexpr std::string_view page_devices = "500";  // as HSCAN's COUNT
/// A listing that finds little lets the mirror's thread in between.
constexpr std::size_t looked_at_once_max = 10'000;
constexpr Millis look_up{100};  // from waiting, whether it is time to end

}  // namespace

RedisStatusMirror::RedisStatusMirror(const RedisOptions& redis, std::size_t shard_devices_max, StatusWatchers& watchers,
                                     MetricRegistry& metrics)
    : shard_devices_max_(shard_devices_max),
      watchers_(watchers),
      fills_(metrics.counter("muster_status_mirror_fills_total", "Times that all devices were read from Redis")),
      messages_(metrics.counter("muster_status_mirror_messages_total", "Changes that Redis has told of")),
      damaged_(metrics.counter("muster_status_mirror_damaged_total", "Devices and changes in Redis that are damaged")),
      devices_(metrics.gauge("muster_status_devices", "Devices in the status store")),
      refresh_(metrics.on_render([this] {
          const std::shared_lock lock(table_mutex_);
          devices_.Set(static_cast<double>(table_->size()));
      })),
      subscription_({.options = redis, .purpose = "status-changes"}, metrics),
      scanner_({.options = redis, .purpose = "status-scan"}, metrics),
      table_(std::make_unique<DeviceTable>()),
      thread_(start_thread("status-mirror", [this] { run(); })) {}

RedisStatusMirror::~RedisStatusMirror() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

// ---- readers

Result<void> RedisStatusMirror::wait_for(const Sequences& sequences, Millis wait) {
    std::unique_lock lock(mutex_);
    const auto has_them = [&] {
        return is_followed_ && std::ranges::equal(sequences_, sequences, std::ranges::greater_equal());
    };
    if (changed_.wait_for(lock, wait, has_them)) {
        return {};
    }
    if (!is_followed_) {
        return fail(ErrorCode::unavailable, "the devices are still being read from Redis");
    }
    is_suspect_.store(true);
    return fail(ErrorCode::unavailable, "Redis does not tell of changes");
}

DevicePage RedisStatusMirror::list(const DeviceFilter& filter, std::string_view after, std::size_t limit) {
    DevicePage page;
    std::string at(after);
    bool at_end = false;
    std::shared_lock lock(table_mutex_);
    while (!at_end && page.devices.size() <= limit) {
        if (!table_->is_ordered()) {
            lock.unlock();
            {
                const std::unique_lock writing(table_mutex_);
                table_->order();
            }
            lock.lock();
        }
        at_end = table_->list(filter, at, limit + 1, looked_at_once_max, page.devices);
        lock.unlock();
        lock.lock();
    }
    if (page.devices.size() > limit) {
        page.devices.pop_back();
        page.next_after = page.devices.back().document.id;
    }
    return page;
}

// ---- the thread

void RedisStatusMirror::run() {
    while (!stopping()) {
        (void)follow();
        set_followed(false);
        if (!stopping()) {
            pause();
        }
    }
}

Result<void> RedisStatusMirror::follow() {
    is_suspect_.store(false);
    const auto subscription = subscription_.get();
    if (!subscription) {
        return tl::unexpected(subscription.error());
    }
    const auto scanner = scanner_.get();
    if (!scanner) {
        return tl::unexpected(scanner.error());
    }
    const auto subscribed = (*subscription)->command({"SUBSCRIBE", redis_status_channel});
    Result<void> result;
    if (!subscribed) {
        result = tl::unexpected(subscribed.error());
    }
    result =
        result.and_then([&] { return begin(**scanner); }).and_then([&] { return fill(**scanner, **subscription); });
    if (result) {
        tells_ = true;
        set_followed(true);
    }
    while (result && !stopping()) {
        if (is_suspect_.load()) {
            result = fail(ErrorCode::unavailable, "Redis does not tell of changes");
            break;
        }
        const auto readable = (*subscription)->wait_readable(look_up);
        if (!readable) {
            result = tl::unexpected(readable.error());
        } else if (*readable) {
            result = take_message(**subscription);
        }
    }
    if (!result) {
        // Whatever it was, a new connection begins anew.
        const Error ended{ErrorCode::not_found, result.error().text, result.error().detail};
        subscription_.note(ended);
        scanner_.note(ended);
    }
    return result;
}

/// What Redis holds is what was read before and its changes, or, where a shard has another life, something else.
Result<void> RedisStatusMirror::begin(RedisConnection& scanner) {
    for (const RedisStatusKeys& keys : redis_status_keys()) {
        scanner.append({"HMGET", keys.meta, "life", "sequence"});
    }
    Result<void> result;
    Sequences sequences{};
    std::array<std::string, redis_status_shards> lives;
    for (std::size_t shard = 0; shard < redis_status_shards; ++shard) {
        const auto meta = scanner.read();
        if (!meta) {
            result = tl::unexpected(meta.error());
            continue;
        }
        lives[shard] = (*meta)[0].text();
        sequences[shard] = (*meta)[1].unsigned_integer();
    }
    if (!result) {
        return result;
    }
    if (lives != lives_) {
        lives_ = lives;
        shard_devices_ = {};
        tells_ = false;
        const std::unique_lock lock(table_mutex_);
        table_ = std::make_unique<DeviceTable>();
    }
    const std::lock_guard lock(mutex_);
    sequences_ = sequences;
    return {};
}

Result<void> RedisStatusMirror::fill(RedisConnection& scanner, RedisConnection& subscription) {
    fills_.Increment();
    for (std::size_t shard = 0; shard < redis_status_shards; ++shard) {
        std::string cursor = "0";
        do {
            auto next = fill_page(scanner, shard, cursor);
            if (!next) {
                return tl::unexpected(next.error());
            }
            cursor = std::move(*next);
            // What Redis keeps of changes for a subscriber is bounded.
            auto readable = subscription.wait_readable(Millis(0));
            while (readable && *readable) {
                if (auto taken = take_message(subscription); !taken) {
                    return taken;
                }
                readable = subscription.wait_readable(Millis(0));
            }
            if (!readable) {
                return tl::unexpected(readable.error());
            }
            if (stopping()) {
                return fail(ErrorCode::closed, "the status store ends");
            }
        } while (cursor != "0");
    }
    return {};
}

/// Returns the cursor of the next page.
Result<std::string> RedisStatusMirror::fill_page(RedisConnection& scanner, std::size_t shard,
                                                 const std::string& cursor) {
    const RedisStatusKeys& keys = redis_status_keys()[shard];
    const auto page = scanner.command({"HSCAN", keys.devices, cursor, "COUNT", page_devices});
    if (!page) {
        return tl::unexpected(page.error());
    }
    const RedisValue rows = (*page)[1];
    if (rows.size() > 0) {
        std::vector<std::string_view> words{"HMGET", keys.contacts};
        for (std::size_t row = 0; row + 1 < rows.size(); row += 2) {
            words.push_back(rows[row].text());
        }
        scanner.append(words);
        const auto contacts = scanner.read();
        if (!contacts) {
            return tl::unexpected(contacts.error());
        }
        for (std::size_t row = 0; row + 1 < rows.size(); row += 2) {
            const auto device = read_status_device(rows[row].text(), rows[row + 1].text(), (*contacts)[row / 2].text());
            if (device) {
                take_in(shard, *device);
            } else {
                damaged_.Increment();
            }
        }
    }
    tell();
    return std::string((*page)[0].text());
}

DeviceTable::Applied RedisStatusMirror::apply_document(std::size_t shard, const StatusDocument& document) {
    const std::size_t before = table_->size();
    const bool has_room = shard_devices_[shard] < shard_devices_max_;
    const auto applied = table_->apply(document, has_room ? before + 1 : before);
    shard_devices_[shard] += table_->size() - before;
    return applied;
}

/// A device as Redis has it, whether or not some of it is known.
void RedisStatusMirror::take_in(std::size_t shard, const DeviceStatus& device) {
    const std::string& id = device.document.id;
    const std::vector<std::pair<std::string_view, double>> metrics(device.metrics.begin(), device.metrics.end());
    const std::unique_lock lock(table_mutex_);
    if (apply_document(shard, device.document) == DeviceTable::Applied::yes && tells_) {
        news_.push_back(device.document);
    }
    (void)table_->touch({id, device.last_seen, device.telemetry_time, metrics, TouchKind::session});
    (void)table_->touch({id, device.last_ping, {}, {}, TouchKind::ping});
    (void)table_->touch({id, device.last_published, {}, {}, TouchKind::message});
}

Result<void> RedisStatusMirror::take_message(RedisConnection& subscription) {
    const auto message = subscription.read();
    if (!message) {
        return tl::unexpected(message.error());
    }
    ByteReader reader((*message)[2].text());
    const auto shard = static_cast<std::size_t>(reader.number<std::uint8_t>());
    const auto sequence = reader.number<std::uint64_t>();
    if (!reader.ok() || shard >= redis_status_shards) {
        damaged_.Increment();
        return {};
    }
    messages_.Increment();
    if (auto applied = apply(shard, reader.rest()); !applied) {
        damaged_.Increment();
    }
    const std::lock_guard lock(mutex_);
    std::uint64_t& known = sequences_[shard];
    if (sequence > known + 1) {
        return fail(ErrorCode::unavailable, "changes of the status in Redis were missed");
    }
    known = std::max(known, sequence);
    changed_.notify_all();
    return {};
}

/// Does to the copy what the script did to the shard.
Result<void> RedisStatusMirror::apply(std::size_t shard, std::string_view batch) {
    std::vector<StatusTouch> touches;
    std::vector<std::vector<std::pair<std::string_view, double>>> metrics;
    Result<void> read;
    {
        const std::unique_lock lock(table_mutex_);
        read = read_status_batch(
            batch,
            [&](const StatusDocument& document) {
                if (apply_document(shard, document) == DeviceTable::Applied::yes && tells_) {
                    news_.push_back(document);
                }
            },
            [&](const StatusTouch& touch) {
                if (table_->touch(touch) && touch.telemetry_time != Timestamp{} && tells_) {
                    metrics.emplace_back(touch.metrics.begin(), touch.metrics.end());
                    touches.push_back(touch);
                    touches.back().metrics = metrics.back();
                }
            });
    }
    watchers_.tell(news_, touches);
    news_.clear();
    return read;
}

void RedisStatusMirror::tell() {
    watchers_.tell(news_, {});
    news_.clear();
}

void RedisStatusMirror::set_followed(bool is_followed) {
    {
        const std::lock_guard lock(mutex_);
        is_followed_ = is_followed;
    }
    changed_.notify_all();
}

void RedisStatusMirror::pause() {
    const Millis wait = std::max({subscription_.until_next_try(), scanner_.until_next_try(), Millis(1)});
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, wait, [this] { return stopping_; });
}

bool RedisStatusMirror::stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

}  // namespace muster
