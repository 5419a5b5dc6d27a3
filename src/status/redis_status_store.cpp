#include "status/redis_status_store.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/log.h"
#include "contract/identity.h"

namespace muster {
namespace {

constexpr std::size_t apply_script_number = 0;
constexpr std::size_t life_script_number = 1;
constexpr std::size_t list_limit_max = 1000;
/// A script holds everybody up: a piece of it is done in about 3 ms.
constexpr std::size_t piece_records_max = 500;

/// The server's, new with each of its starts; empty when it does not say.
std::string run_of(std::string_view info) {
    constexpr std::string_view name = "run_id:";
    const auto at = info.find(name);
    if (at == std::string_view::npos) {
        return {};
    }
    info.remove_prefix(at + name.size());
    return std::string(info.substr(0, info.find_first_of("\r\n")));
}

}  // namespace

RedisStatusStore::RedisStatusStore(RedisStatusStoreOptions options, MetricRegistry& metrics)
    : options_(std::move(options)),
      metrics_(metrics),
      counts_(metrics),
      losses_total_(metrics.counter("muster_status_losses_total",
                                    "Times that Redis was found restarted, replaced or emptied, and is filled again")),
      writer_({.options = options_.redis,
               .purpose = "status",
               .scripts = {std::string(redis_status_apply_script), std::string(redis_status_life_script)},
               .on_connected = [this](RedisConnection& connection) { return look_for_losses(connection); }},
              metrics),
      reader_({.options = options_.redis, .purpose = "status-read"}, metrics) {}

Result<std::unique_ptr<RedisStatusStore>> RedisStatusStore::open(RedisStatusStoreOptions options,
                                                                 MetricRegistry& metrics) {
    std::unique_ptr<RedisStatusStore> store(new RedisStatusStore(std::move(options), metrics));
    if (const auto connected = store->reader_.get(); !connected) {
        return tl::unexpected(connected.error());
    }
    return store;
}

RedisStatusStore::~RedisStatusStore() = default;

// ---- writing

std::vector<RedisStatusStore::Piece> RedisStatusStore::pieces_of(std::span<const StatusDocument> transitions,
                                                                 std::span<const StatusTouch> touches) {
    std::vector<Piece> pieces;
    std::array<RedisStatusBatch, redis_status_shards> open;
    const auto add = [&](std::string_view id, const auto& record) {
        const std::size_t shard = redis_status_shard_of(id);
        open[shard].add(record);
        if (open[shard].records() == piece_records_max) {
            pieces.push_back({shard, open[shard].take()});
        }
    };
    const auto end_all = [&] {
        for (std::size_t shard = 0; shard < redis_status_shards; ++shard) {
            if (open[shard].records() > 0) {
                pieces.push_back({shard, open[shard].take()});
            }
        }
    };
    for (const StatusDocument& document : transitions) {
        if (is_valid_device_id(document.id)) {
            add(document.id, document);
        } else {
            counts_.left_out.Increment();
        }
    }
    for (const StatusTouch& touch : touches) {
        if (is_valid_device_id(touch.id)) {
            add(touch.id, touch);
        } else {
            counts_.unknown_touches.Increment();
        }
    }
    end_all();
    return pieces;
}

Result<void> RedisStatusStore::apply(std::span<const StatusDocument> transitions,
                                     std::span<const StatusTouch> touches) {
    const std::vector<Piece> pieces = pieces_of(transitions, touches);
    const std::lock_guard lock(writer_mutex_);
    const auto connection = writer_.get();
    if (!connection) {
        return tl::unexpected(connection.error());
    }
    auto sent = send(**connection, pieces);
    if (!sent) {
        writer_.note(sent.error());
        return fail(ErrorCode::unavailable, sent.error().text, sent.error().detail);
    }
    counts_.touches.Increment(static_cast<double>(touches.size()));
    return sent;
}

Result<void> RedisStatusStore::send(RedisConnection& connection, std::span<const Piece> pieces) {
    Result<void> result;
    bool has_lost = false;
    while (result && !pieces.empty()) {
        std::size_t bytes = 0;
        std::size_t appended = 0;
        for (; appended < pieces.size() && bytes < options_.round_bytes_max; ++appended) {
            const Piece& piece = pieces[appended];
            const RedisStatusKeys& keys = redis_status_keys()[piece.shard];
            connection.append({"EVALSHA", writer_.script(apply_script_number), "4", keys.devices, keys.contacts,
                               keys.regions, keys.meta, piece.batch, redis_status_channel, std::to_string(piece.shard),
                               std::to_string(options_.devices_max / redis_status_shards)});
            bytes += piece.batch.size();
        }
        for (const Piece& piece : pieces.first(appended)) {
            const auto reply = connection.read();
            if (reply) {
                count(piece, *reply, has_lost);
            } else if (result) {
                result = tl::unexpected(reply.error());
            }
        }
        pieces = pieces.subspan(appended);
    }
    return result && has_lost ? look_for_losses(connection) : result;
}

void RedisStatusStore::count(const Piece& piece, const RedisValue& reply, bool& has_lost) {
    has_lost = has_lost || reply[0].text() != lives_[piece.shard];
    counts_.applied.Increment(static_cast<double>(reply[1].integer()));
    counts_.redelivered.Increment(static_cast<double>(reply[2].integer()));
    counts_.left_out.Increment(static_cast<double>(reply[3].integer()));
    counts_.unknown_touches.Increment(static_cast<double>(reply[4].integer()));
}

/// A shard's life is new when it was empty; the server's run is new when it was restarted, and then it may be without
/// the last of what it was given, or be another server. Neither is news the first time; but the run in which this
/// writer has last written is, when it is over.
Result<void> RedisStatusStore::look_for_losses(RedisConnection& connection) {
    const auto info = connection.command({"INFO", "server"});
    if (!info) {
        return tl::unexpected(info.error());
    }
    const std::string run = run_of(info->text());
    const std::string writer_field = "run:" + options_.writer;
    const std::string& first_meta = redis_status_keys().front().meta;
    connection.append({"HGET", first_meta, writer_field});
    connection.append({"HSET", first_meta, writer_field, run});
    for (const RedisStatusKeys& keys : redis_status_keys()) {
        connection.append({"EVALSHA", writer_.script(life_script_number), "1", keys.meta});
    }
    Result<void> result;
    std::array<std::string, redis_status_shards> lives;
    std::string last_run;
    const auto read = [&](std::string* text) {
        const auto reply = connection.read();
        if (!reply) {
            result = result ? tl::unexpected(reply.error()) : result;
        } else if (text != nullptr) {
            *text = reply->text();
        }
    };
    read(&last_run);
    read(nullptr);
    for (std::string& life : lives) {
        read(&life);
    }
    if (!result) {
        return result;
    }
    const bool is_first_look = lives_.front().empty();
    const bool has_lost = is_first_look ? !last_run.empty() && last_run != run : lives != lives_ || run != run_;
    lives_ = lives;
    run_ = run;
    if (has_lost) {
        losses_.fetch_add(1);
        losses_total_.Increment();
        spdlog::warn("status: Redis was restarted, replaced or emptied: what it has lost is written again");
    }
    return {};
}

Result<void> RedisStatusStore::checkpoint() {
    const std::lock_guard lock(writer_mutex_);
    const auto connection = writer_.get();
    return connection ? Result<void>{} : tl::unexpected(connection.error());
}

// ---- reading

template <class Append, class Visit>
Result<void> RedisStatusStore::ask_all_shards(Append&& append, Visit&& visit) const {
    const std::lock_guard lock(reader_mutex_);
    const auto connection = reader_.get();
    if (!connection) {
        return tl::unexpected(connection.error());
    }
    for (const RedisStatusKeys& keys : redis_status_keys()) {
        append(**connection, keys);
    }
    Result<void> result;
    for (std::size_t shard = 0; shard < redis_status_shards; ++shard) {
        const auto reply = (*connection)->read();
        if (result && !reply) {
            result = tl::unexpected(reply.error());
        } else if (result) {
            result = visit(shard, *reply);
        }
    }
    if (!result) {
        reader_.note(result.error());
    }
    return result;
}

Result<std::optional<DeviceStatus>> RedisStatusStore::get(std::string_view id) const {
    const RedisStatusKeys& keys = redis_status_keys()[redis_status_shard_of(id)];
    const std::lock_guard lock(reader_mutex_);
    const auto connection = reader_.get();
    if (!connection) {
        return tl::unexpected(connection.error());
    }
    (*connection)->append({"HGET", keys.devices, id});
    (*connection)->append({"HGET", keys.contacts, id});
    const auto document = (*connection)->read();
    const auto contact = (*connection)->read();
    for (const auto* reply : {&document, &contact}) {
        if (!*reply) {
            reader_.note(reply->error());
            return tl::unexpected(reply->error());
        }
    }
    if (document->is_nil()) {
        return std::nullopt;
    }
    auto device = read_status_device(id, document->text(), contact->text());
    if (!device) {
        return tl::unexpected(device.error());
    }
    return std::optional(std::move(*device));
}

Result<DevicePage> RedisStatusStore::list(const DeviceFilter& filter, std::string_view after, std::size_t limit) const {
    if (limit == 0 || limit > list_limit_max) {
        return fail(ErrorCode::invalid_argument, "a page has 1 to 1000 devices");
    }
    RedisStatusMirror& copy = mirror();
    RedisStatusMirror::Sequences sequences{};
    const auto asked =
        ask_all_shards([](RedisConnection& connection,
                          const RedisStatusKeys& keys) { connection.append({"HGET", keys.meta, "sequence"}); },
                       [&](std::size_t shard, const RedisValue& reply) -> Result<void> {
                           sequences[shard] = reply.unsigned_integer();
                           return {};
                       });
    if (!asked) {
        return tl::unexpected(asked.error());
    }
    if (const auto caught_up = copy.wait_for(sequences, options_.list_wait); !caught_up) {
        return tl::unexpected(caught_up.error());
    }
    return copy.list(filter, after, limit);
}

Result<RegionCounts> RedisStatusStore::counts(std::string_view region) const {
    RegionCounts sum;
    const auto asked =
        ask_all_shards([&](RedisConnection& connection,
                           const RedisStatusKeys& keys) { connection.append({"HGET", keys.regions, region}); },
                       [&](std::size_t, const RedisValue& reply) -> Result<void> {
                           if (reply.is_nil()) {
                               return {};
                           }
                           const auto counts = read_status_counts(reply.text());
                           if (!counts) {
                               return tl::unexpected(counts.error());
                           }
                           sum += *counts;
                           return {};
                       });
    if (!asked) {
        return tl::unexpected(asked.error());
    }
    return sum;
}

Result<std::vector<std::pair<std::string, RegionCounts>>> RedisStatusStore::regions() const {
    std::map<std::string, RegionCounts> sums;
    const auto asked = ask_all_shards(
        [](RedisConnection& connection, const RedisStatusKeys& keys) { connection.append({"HGETALL", keys.regions}); },
        [&](std::size_t, const RedisValue& reply) -> Result<void> {
            for (std::size_t row = 0; row + 1 < reply.size(); row += 2) {
                const auto counts = read_status_counts(reply[row + 1].text());
                if (!counts) {
                    return tl::unexpected(counts.error());
                }
                sums[std::string(reply[row].text())] += *counts;
            }
            return {};
        });
    if (!asked) {
        return tl::unexpected(asked.error());
    }
    return std::vector<std::pair<std::string, RegionCounts>>(sums.begin(), sums.end());
}

RedisStatusMirror& RedisStatusStore::mirror() const {
    const std::lock_guard lock(mirror_mutex_);
    if (!mirror_) {
        mirror_ = std::make_unique<RedisStatusMirror>(options_.redis, options_.devices_max / redis_status_shards,
                                                      watchers_, metrics_);
    }
    return *mirror_;
}

std::shared_ptr<void> RedisStatusStore::watch(OnTransition on_transition, OnTouch on_touch) {
    auto handle = watchers_.add(std::move(on_transition), std::move(on_touch));
    // From here on nothing is missed, unless Redis is away or its devices take longer to read.
    (void)mirror().wait_for({}, options_.list_wait);
    return handle;
}

}  // namespace muster
