#include "gateway/redis_session_store.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_set>

#include "base/thread.h"
#include "gateway/redis_session_keys.h"

namespace muster {
namespace {

constexpr std::size_t claim_script_number = 0;
constexpr std::size_t store_script_number = 1;
constexpr std::string_view load_page_sessions = "500";  // as SSCAN's COUNT
constexpr Millis refused_pause{100};

RedisLink::Setup setup_of(const RedisSessionStoreOptions& options, std::string purpose) {
    return {.options = options.redis,
            .purpose = std::move(purpose),
            .scripts = {std::string(claim_script), std::string(store_script)},
            .on_connected = {}};
}

bool is_erasure(SessionChange::Kind kind) {
    using Kind = SessionChange::Kind;
    return kind == Kind::erase_session || kind == Kind::erase_message || kind == Kind::erase_packet_id;
}

std::size_t bytes_of(const std::vector<SessionChange>& changes) {
    std::size_t bytes = 0;
    for (const SessionChange& change : changes) {
        bytes += change.bytes();
    }
    return bytes;
}

void append_claim(RedisConnection& connection, const std::string& sha, const std::string& key, std::string_view holder,
                  std::uint64_t floor) {
    connection.append({"EVALSHA", sha, "1", key, holder, std::to_string(floor)});
}

/// Puts in the index first: a session that is stored is always in it.
RedisBatchCommands append_batch(RedisConnection& connection, const std::string& sha, const std::string& gateway,
                                const std::vector<SessionChange>& changes) {
    std::map<std::string_view, std::vector<const SessionChange*>> by_session;
    for (const SessionChange& change : changes) {
        by_session[change.session].push_back(&change);
    }
    RedisBatchCommands commands{.gateway = gateway};
    const std::string index = redis_kept_index_key(gateway);
    std::vector<std::string_view> words{"SADD", index};
    for (const auto& [session, mine] : by_session) {
        if (std::ranges::any_of(mine, [](const SessionChange* change) { return !is_erasure(change->kind); })) {
            words.push_back(session);
        }
    }
    commands.has_index = words.size() > 2;
    if (commands.has_index) {
        connection.append(words);
    }
    for (const auto& [session, mine] : by_session) {
        const std::string claim_key = redis_session_key(session);
        const std::string kept_key = redis_kept_key(session, gateway);
        std::vector<std::string> fields;
        fields.reserve(mine.size());
        words = {"EVALSHA", sha, "2", claim_key, kept_key, gateway};
        for (const SessionChange* change : mine) {
            fields.push_back(redis_kept_field(*change));
            words.push_back(is_erasure(change->kind) ? "-" : "+");
            words.push_back(fields.back());
            if (!is_erasure(change->kind)) {
                words.push_back(change->value);
            }
        }
        connection.append(words);
        commands.sessions.emplace_back(session);
    }
    return commands;
}

}  // namespace

RedisSessionStore::RedisSessionStore(RedisSessionStoreOptions options, MetricRegistry& metrics)
    : options_(std::move(options)),
      claims_total_(metrics.counter("muster_sessions_claims_total", "Claims of sessions that Redis has answered")),
      claims_refused_(metrics.counter("muster_sessions_claims_refused_total",
                                      "Claims refused because Redis was away or too many waited")),
      batches_(metrics.counter("muster_sessions_batches_total", "Batches of changes of kept sessions stored in Redis")),
      fenced_(metrics.counter("muster_sessions_fenced_total",
                              "Changes of a session left out because another gateway has claimed it")),
      given_up_(metrics.counter("muster_sessions_batches_given_up_total",
                                "Batches of changes of kept sessions that Redis did not take in time")),
      waiting_bytes_(metrics.gauge("muster_sessions_waiting_bytes",
                                   "Changes of kept sessions that Redis has not confirmed")),
      direct_(setup_of(options_, "sessions-start"), metrics),
      link_(setup_of(options_, "sessions"), metrics) {}

Result<std::unique_ptr<RedisSessionStore>> RedisSessionStore::open(RedisSessionStoreOptions options,
                                                                   MetricRegistry& metrics) {
    std::unique_ptr<RedisSessionStore> store(new RedisSessionStore(std::move(options), metrics));
    if (const auto connected = store->link_.get(); !connected) {
        return tl::unexpected(connected.error());
    }
    store->thread_ = start_thread("sessions", [raw = store.get()] { raw->run(); });
    return store;
}

RedisSessionStore::~RedisSessionStore() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) {
        thread_.join();
    }
}

// ---- what callers wait for

Result<Incarnation> RedisSessionStore::begin_incarnation(std::string_view gateway) {
    const std::lock_guard lock(direct_mutex_);
    const auto connection = direct_.get();
    if (!connection) {
        return tl::unexpected(connection.error());
    }
    append_claim(**connection, direct_.script(claim_script_number), redis_gateway_key(gateway), gateway, 0);
    const auto reply = (*connection)->read();
    if (!reply) {
        direct_.note(reply.error());
        return tl::unexpected(reply.error());
    }
    return (*reply)[0].unsigned_integer();
}

Result<void> RedisSessionStore::load(std::string_view gateway, FunctionRef<void(StoredSession&&)> visit) {
    const std::lock_guard lock(direct_mutex_);
    const auto connection = direct_.get();
    if (!connection) {
        return tl::unexpected(connection.error());
    }
    const std::string index = redis_kept_index_key(gateway);
    std::unordered_set<std::string> visited;  // SSCAN may say one twice
    std::string cursor = "0";
    do {
        auto page = (*connection)->command({"SSCAN", index, cursor, "COUNT", load_page_sessions});
        if (!page) {
            direct_.note(page.error());
            return tl::unexpected(page.error());
        }
        cursor = (*page)[0].text();
        const auto visit_once = [&](StoredSession&& session) {
            if (visited.insert(session.key).second) {
                visit(std::move(session));
            }
        };
        if (auto loaded = load_page(**connection, gateway, (*page)[1], visit_once); !loaded) {
            direct_.note(loaded.error());
            return loaded;
        }
    } while (cursor != "0");
    return {};
}

Result<void> RedisSessionStore::load_page(RedisConnection& connection, std::string_view gateway, const RedisValue& keys,
                                          FunctionRef<void(StoredSession&&)> visit) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
        connection.append({"HGETALL", redis_kept_key(keys[i].text(), gateway)});
    }
    Result<void> result;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto rows = connection.read();
        if (!rows) {
            result = tl::unexpected(rows.error());
            continue;
        }
        StoredSession session;
        session.key = keys[i].text();
        for (std::size_t field = 0; field + 1 < rows->size(); field += 2) {
            add_kept_field((*rows)[field].text(), (*rows)[field + 1].text(), session);
        }
        std::ranges::sort(session.messages, {}, &StoredSession::Message::number);
        if (rows->size() > 0 && result) {
            visit(std::move(session));
        }
    }
    return result;
}

// ---- what callers hand over

void RedisSessionStore::claim(std::string_view device, std::string_view gateway,
                              std::function<void(Result<SessionEpoch>)> done) {
    bool has_room = false;
    {
        const std::lock_guard lock(mutex_);
        has_room = claims_.size() < options_.claims_waiting_max;
        if (has_room) {
            claims_.push_back({std::string(device), std::string(gateway), std::move(done)});
        }
    }
    if (has_room) {
        changed_.notify_one();
        return;
    }
    claims_refused_.Increment();
    done(fail(ErrorCode::unavailable, "too many claims wait for Redis"));
}

void RedisSessionStore::store(std::string_view gateway, std::vector<SessionChange> changes,
                              std::function<void(const Result<void>&)> done) {
    const std::size_t bytes = bytes_of(changes);
    waiting_bytes_.Increment(static_cast<double>(bytes));
    {
        const std::lock_guard lock(mutex_);
        pending_.push_back({std::string(gateway), std::move(changes), std::move(done), bytes, Steady::now()});
    }
    changed_.notify_one();
}

// ---- the thread

void RedisSessionStore::run() {
    std::vector<Claim> claims;
    while (take(claims)) {
        const auto connection = link_.get();
        if (connection) {
            send_claims(**connection, claims);
        }
        for (const Claim& claim : claims) {
            claims_refused_.Increment();
            claim.done(fail(ErrorCode::unavailable, "the session store cannot be reached"));
        }
        claims.clear();
        // The claims may have found out that it has gone.
        if (const auto still_there = link_.get()) {
            send_batches(**still_there);
        }
        give_up(Steady::now() - options_.patience);
    }
    give_up(Steady::time_point::max());
}

bool RedisSessionStore::take(std::vector<Claim>& claims) {
    std::unique_lock lock(mutex_);
    if (unsent_.empty()) {
        changed_.wait(lock, [this] { return stopping_ || !claims_.empty() || !pending_.empty(); });
    } else {
        const Steady::time_point next = std::max(retry_at_, Steady::now() + link_.until_next_try());
        changed_.wait_until(lock, next, [this] { return stopping_ || !claims_.empty(); });
    }
    claims.swap(claims_);
    std::ranges::move(pending_, std::back_inserter(unsent_));
    pending_.clear();
    const bool is_worth_trying = retry_at_ == Steady::time_point{} && link_.until_next_try() == Millis(0);
    return !stopping_ || !claims.empty() || (!unsent_.empty() && is_worth_trying);
}

/// Those that were answered leave `claims`.
void RedisSessionStore::send_claims(RedisConnection& connection, std::vector<Claim>& claims) {
    for (const Claim& claim : claims) {
        append_claim(connection, link_.script(claim_script_number), redis_session_key(claim.device), claim.gateway,
                     highest_);
    }
    std::vector<Claim> failed;
    std::optional<Error> error;
    for (Claim& claim : claims) {
        const auto reply = connection.read();
        if (!reply) {
            error = reply.error();
            failed.push_back(std::move(claim));
            continue;
        }
        const SessionEpoch epoch = (*reply)[0].unsigned_integer();
        highest_ = std::max(highest_, epoch);
        claims_total_.Increment();
        claim.done(epoch);
    }
    claims.swap(failed);
    if (error) {
        link_.note(*error);
    }
}

void RedisSessionStore::send_batches(RedisConnection& connection) {
    if (Steady::now() < retry_at_) {
        return;
    }
    retry_at_ = {};
    std::vector<RedisBatchCommands> sent;
    std::size_t bytes = 0;
    for (const Batch& batch : unsent_) {
        if (bytes > options_.round_bytes_max) {
            break;
        }
        bytes += batch.bytes;
        sent.push_back(append_batch(connection, link_.script(store_script_number), batch.gateway, batch.changes));
    }
    Result<void> result;
    Emptied emptied;
    for (const RedisBatchCommands& commands : sent) {
        const auto stored = read_batch(connection, commands, emptied);
        result = result ? stored : result;
        if (result) {
            answer_first({});
        }
    }
    // From the one that failed on, all are sent again: every change may be made twice.
    if (result) {
        unindex(connection, emptied);
    } else {
        link_.note(result.error());
        retry_at_ = Steady::now() + refused_pause;
    }
}

/// A session of which nothing is left leaves the index. Should this be lost, load() finds nothing under its name.
void RedisSessionStore::unindex(RedisConnection& connection, const Emptied& emptied) {
    for (const auto& [gateway, session] : emptied) {
        connection.append({"SREM", redis_kept_index_key(gateway), session});
    }
    std::optional<Error> error;
    for (std::size_t i = 0; i < emptied.size(); ++i) {
        if (const auto reply = connection.read(); !reply) {
            error = reply.error();
        }
    }
    if (error) {
        link_.note(*error);
    }
}

/// Reads every reply of the batch, whatever happened to the one before.
Result<void> RedisSessionStore::read_batch(RedisConnection& connection, const RedisBatchCommands& commands,
                                           Emptied& emptied) {
    Result<void> result;
    const auto check = [&](const Result<RedisReply>& reply) {
        if (!reply && result) {
            result = tl::unexpected(reply.error());
        }
        return reply.has_value();
    };
    if (commands.has_index) {
        (void)check(connection.read());
    }
    for (const std::string& session : commands.sessions) {
        const auto reply = connection.read();
        if (!check(reply)) {
            continue;
        }
        fenced_.Increment(reply->integer() < 0 ? 1 : 0);
        if (reply->integer() == 0) {
            emptied.emplace(commands.gateway, session);
        } else {
            emptied.erase({commands.gateway, session});
        }
    }
    return result;
}

void RedisSessionStore::answer_first(const Result<void>& result) {
    const Batch batch = std::move(unsent_.front());
    unsent_.pop_front();
    waiting_bytes_.Decrement(static_cast<double>(batch.bytes));
    (result ? batches_ : given_up_).Increment();
    batch.done(result);
}

void RedisSessionStore::give_up(Steady::time_point handed_over_before) {
    while (!unsent_.empty() && unsent_.front().handed_over < handed_over_before) {
        answer_first(fail(ErrorCode::unavailable, "the session store cannot be reached"));
    }
}

}  // namespace muster
