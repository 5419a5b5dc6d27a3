#include "gateway/redis_session_store.h"

#include <algorithm>
#include <unordered_set>

#include "base/log.h"
#include "base/thread.h"
#include "gateway/redis_session_commands.h"

namespace muster {
namespace {

constexpr std::string_view load_page_sessions = "500";  // as SSCAN's COUNT
constexpr Millis refused_pause{100};

RedisLink::Setup setup_of(const RedisSessionStoreOptions& options, std::string purpose) {
    return {
        .options = options.redis,
        .purpose = std::move(purpose),
        .scripts = {std::string(redis_claim_script), std::string(redis_store_script), std::string(redis_take_script)},
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

}  // namespace

RedisSessionStore::RedisSessionStore(RedisSessionStoreOptions options, MetricRegistry& metrics)
    : options_(std::move(options)),
      metrics_(metrics),
      claims_total_(metrics.counter("muster_sessions_claims_total", "Claims of sessions that Redis has answered")),
      claims_refused_(metrics.counter("muster_sessions_claims_refused_total",
                                      "Claims refused because Redis was away or too many waited")),
      given_(metrics.counter("muster_sessions_hand_overs_total", "Sessions claimed that another gateway may have held",
                             {{"outcome", "given"}})),
      taken_from_dead_(metrics.counter("muster_sessions_hand_overs_total",
                                       "Sessions claimed that another gateway may have held", {{"outcome", "dead"}})),
      taken_late_(metrics.counter("muster_sessions_hand_overs_total",
                                  "Sessions claimed that another gateway may have held", {{"outcome", "late"}})),
      batches_(metrics.counter("muster_sessions_batches_total", "Batches of changes of kept sessions stored in Redis")),
      fenced_(metrics.counter("muster_sessions_fenced_total",
                              "Batches refused because another gateway has taken a session over")),
      batches_given_up_(metrics.counter("muster_sessions_batches_given_up_total",
                                        "Batches of changes of kept sessions that Redis did not take in time")),
      waiting_bytes_(
          metrics.gauge("muster_sessions_waiting_bytes", "Changes of kept sessions that Redis has not confirmed")),
      claims_waiting_(metrics.gauge("muster_sessions_claims_waiting", "Claims that wait to be sent to Redis")),
      hand_overs_waiting_(
          metrics.gauge("muster_sessions_hand_overs_waiting", "Claims that wait for another gateway to give up")),
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
    const std::lock_guard lock(watchers_mutex_);
    watchers_.clear();
}

// ---- what callers wait for

Result<Incarnation> RedisSessionStore::begin_incarnation(std::string_view gateway) {
    const std::lock_guard lock(direct_mutex_);
    const auto connection = direct_.get();
    if (!connection) {
        return tl::unexpected(connection.error());
    }
    append_claim(**connection, direct_.script(claim_script), redis_gateway_key(gateway), gateway, 0);
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
        } else if (rows->size() > 0 && result) {
            visit(session_of(keys[i].text(), *rows));
        }
    }
    return result;
}

Result<std::shared_ptr<void>> RedisSessionStore::watch(std::string_view gateway, OnLost on_lost) {
    std::string name(gateway);
    auto watch = std::make_unique<RedisSessionWatch>(
        options_.redis, name,
        [this](RedisSessionNotice&& notice) {
            {
                const std::lock_guard lock(mutex_);
                notices_.push_back(std::move(notice));
            }
            changed_.notify_one();
        },
        metrics_);
    if (const auto started = watch->start(); !started) {
        return tl::unexpected(started.error());
    }
    const std::lock_guard lock(watchers_mutex_);
    Watched& watched = watchers_[name];
    watched = {.on_lost = std::move(on_lost), .watch = std::move(watch)};
    return std::shared_ptr<void>(&watched, [this, name](void*) { unwatch(name); });
}

void RedisSessionStore::unwatch(const std::string& gateway) {
    Watched ended;
    const std::lock_guard lock(watchers_mutex_);
    if (const auto found = watchers_.find(gateway); found != watchers_.end()) {
        ended = std::move(found->second);
        watchers_.erase(found);
    }
}

// ---- what callers hand over

void RedisSessionStore::claim(std::string_view session, std::string_view gateway,
                              std::function<void(Result<SessionClaim>)> done) {
    Claim claim{std::string(session), std::string(gateway), std::move(done)};
    {
        const std::lock_guard lock(mutex_);
        if (claims_.size() < options_.claims_waiting_max) {
            claims_.push_back(std::move(claim));
            changed_.notify_one();
            return;
        }
    }
    refuse(claim);
}

void RedisSessionStore::refuse(const Claim& claim) {
    claims_refused_.Increment();
    claim.done(fail(ErrorCode::unavailable, "the session store cannot be reached, or too many wait for it"));
}

void RedisSessionStore::store(std::string_view gateway, std::vector<SessionChange> changes,
                              std::function<void(const Result<void>&)> done) {
    const std::size_t bytes = bytes_of(changes);
    submit({.gateway = std::string(gateway),
            .changes = std::move(changes),
            .given_up = {},
            .done = std::move(done),
            .bytes = bytes,
            .handed_over = Steady::now()});
}

void RedisSessionStore::give_up(std::string_view gateway, const LostSession& lost) {
    submit({.gateway = std::string(gateway),
            .changes = {},
            .given_up = lost,
            .done = [](const Result<void>&) {},
            .bytes = 0,
            .handed_over = Steady::now()});
}

void RedisSessionStore::submit(Batch batch) {
    waiting_bytes_.Increment(static_cast<double>(batch.bytes));
    {
        const std::lock_guard lock(mutex_);
        pending_.push_back(std::move(batch));
    }
    changed_.notify_one();
}

// ---- the thread

void RedisSessionStore::run() {
    std::vector<Claim> claims;
    std::vector<RedisSessionNotice> notices;
    while (take_work(claims, notices)) {
        claims_waiting_.Set(static_cast<double>(claims.size()));
        for (const RedisSessionNotice& notice : notices) {
            heed(notice);
        }
        notices.clear();
        if (const auto connection = link_.get()) {
            send_claims(**connection, claims);
        }
        for (const Claim& claim : claims) {
            refuse(claim);
        }
        claims.clear();
        // What came before may have found out that Redis has gone.
        if (const auto connection = link_.get()) {
            send_batches(**connection);
        }
        const auto connection = link_.get();
        finish_hand_overs(connection ? *connection : nullptr);
        hand_overs_waiting_.Set(static_cast<double>(hand_overs_.size()));
        give_up_batches(Steady::now() - options_.patience);
    }
    give_up_batches(Steady::time_point::max());
    while (!hand_overs_.empty()) {
        finish(SessionAtGateway(hand_overs_.begin()->first), fail(ErrorCode::unavailable, "the session store ends"));
    }
    const std::lock_guard lock(mutex_);
    for (const Claim& claim : claims_) {
        refuse(claim);
    }
}

bool RedisSessionStore::take_work(std::vector<Claim>& claims, std::vector<RedisSessionNotice>& notices) {
    const Steady::time_point next = next_look();
    std::unique_lock lock(mutex_);
    const auto is_wanted = [this] {
        return stopping_ || !claims_.empty() || !notices_.empty() || (unsent_.empty() && !pending_.empty());
    };
    if (next == Steady::time_point::max()) {
        changed_.wait(lock, is_wanted);
    } else {
        changed_.wait_until(lock, next, is_wanted);
    }
    claims.swap(claims_);
    notices.swap(notices_);
    std::ranges::move(pending_, std::back_inserter(unsent_));
    pending_.clear();
    const bool is_worth_trying = retry_at_ == Steady::time_point{} && link_.until_next_try() == Millis(0);
    return !stopping_ || !claims.empty() || (!unsent_.empty() && is_worth_trying);
}

/// When there is something to do without being asked.
RedisSessionStore::Steady::time_point RedisSessionStore::next_look() const {
    Steady::time_point next = Steady::time_point::max();
    if (!unsent_.empty()) {
        next = std::max(retry_at_, Steady::now() + link_.until_next_try());
    }
    for (const auto& [at, hand_over] : hand_overs_) {
        next = std::min(next, hand_over.until);
    }
    return next;
}

// ---- changes

void RedisSessionStore::send_batches(RedisConnection& connection) {
    if (Steady::now() < retry_at_) {
        return;
    }
    retry_at_ = {};
    std::vector<Sent> sent;
    std::size_t bytes = 0;
    for (const Batch& batch : unsent_) {
        if (bytes > options_.round_bytes_max) {
            break;
        }
        bytes += batch.bytes;
        sent.push_back(append(connection, batch));
    }
    Result<void> result;
    Emptied emptied;
    std::size_t number = 0;
    for (const Sent& each : sent) {
        bool is_fenced = false;
        const auto stored = read_batch(connection, unsent_[number], each, emptied, is_fenced);
        result = result ? stored : result;
        if (!result) {
            ++number;
        } else if (is_fenced) {
            answer_first(fail(ErrorCode::conflict, "another gateway has taken the session over"));
        } else {
            answer_first({});
        }
    }
    if (!result) {
        // From the one that failed on, all are sent again: every change may be made twice.
        retry_at_ = Steady::now() + refused_pause;
    } else {
        result = unindex(connection, emptied);
    }
    if (!result) {
        link_.note(result.error());
    }
}

RedisSessionStore::Sent RedisSessionStore::append(RedisConnection& connection, const Batch& batch) {
    Sent sent;
    if (batch.given_up) {
        append_notice(connection, batch.given_up->claimed_by, "given", batch.given_up->session, batch.given_up->epoch,
                      batch.gateway);
        return sent;
    }
    std::map<std::string_view, std::vector<const SessionChange*>> by_session;
    for (const SessionChange& change : batch.changes) {
        by_session[change.session].push_back(&change);
    }
    const std::string index = redis_kept_index_key(batch.gateway);
    std::vector<std::string_view> words{"SADD", index};
    for (const auto& [session, mine] : by_session) {
        if (std::ranges::any_of(mine, [](const SessionChange* change) { return !is_erasure(change->kind); })) {
            words.push_back(session);
        }
    }
    sent.has_index = words.size() > 2;
    if (sent.has_index) {
        connection.append(words);
    }
    for (const auto& [session, mine] : by_session) {
        const std::string claim_key = redis_session_key(session);
        const std::string kept_key = redis_kept_key(session, batch.gateway);
        std::vector<std::string> fields;
        fields.reserve(mine.size());
        words = {"EVALSHA", link_.script(store_script), "2", claim_key, kept_key, batch.gateway};
        for (const SessionChange* change : mine) {
            fields.push_back(redis_kept_field(*change));
            words.push_back(is_erasure(change->kind) ? "-" : "+");
            words.push_back(fields.back());
            if (!is_erasure(change->kind)) {
                words.push_back(change->value);
            }
        }
        connection.append(words);
        sent.sessions.emplace_back(session);
    }
    return sent;
}

/// Reads every reply of the batch, whatever happened to the one before.
Result<void> RedisSessionStore::read_batch(RedisConnection& connection, const Batch& batch, const Sent& sent,
                                           Emptied& emptied, bool& is_fenced) {
    Result<void> result = read_replies(connection, sent.has_index || batch.given_up ? 1 : 0);
    for (const std::string& session : sent.sessions) {
        const auto reply = connection.read();
        if (!reply) {
            result = result ? Result<void>(tl::unexpected(reply.error())) : result;
            continue;
        }
        is_fenced = is_fenced || reply->integer() < 0;
        if (reply->integer() <= 0) {
            emptied.emplace(session, batch.gateway);
        } else {
            emptied.erase({session, batch.gateway});
        }
    }
    fenced_.Increment(is_fenced ? 1 : 0);
    return result;
}

/// A session of which nothing is left leaves the index. Should this be lost, load() finds nothing under its name.
Result<void> RedisSessionStore::unindex(RedisConnection& connection, const Emptied& emptied) {
    for (const auto& [session, gateway] : emptied) {
        connection.append({"SREM", redis_kept_index_key(gateway), session});
    }
    return read_replies(connection, emptied.size());
}

void RedisSessionStore::answer_first(const Result<void>& result) {
    const Batch batch = std::move(unsent_.front());
    unsent_.pop_front();
    waiting_bytes_.Decrement(static_cast<double>(batch.bytes));
    if (result) {
        batches_.Increment();
    } else if (result.error().code != ErrorCode::conflict) {
        batches_given_up_.Increment();
    }
    batch.done(result);
}

void RedisSessionStore::give_up_batches(Steady::time_point handed_over_before) {
    while (!unsent_.empty() && unsent_.front().handed_over < handed_over_before) {
        answer_first(fail(ErrorCode::unavailable, "the session store cannot be reached"));
    }
}

}  // namespace muster
