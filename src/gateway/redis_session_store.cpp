#include "gateway/redis_session_store.h"

#include <algorithm>
#include <unordered_set>

#include "base/log.h"
#include "base/thread.h"
#include "gateway/redis_session_keys.h"

namespace muster {
namespace {

constexpr std::size_t claim_script = 0;
constexpr std::size_t store_script = 1;
constexpr std::size_t take_script = 2;
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

void append_claim(RedisConnection& connection, const std::string& sha, const std::string& key, std::string_view holder,
                  std::uint64_t floor) {
    connection.append({"EVALSHA", sha, "1", key, holder, std::to_string(floor)});
}

void append_notice(RedisConnection& connection, std::string_view to, std::string_view type, std::string_view session,
                   SessionEpoch epoch, std::string_view from) {
    connection.append({"XADD", redis_notices_key(to), "MAXLEN", "~", RedisSessionWatch::notices_max, "*", "t", type,
                       "s", session, "e", std::to_string(epoch), "g", from});
}

StoredSession session_of(std::string_view key, const RedisValue& rows) {
    StoredSession session;
    session.key = key;
    for (std::size_t field = 0; field + 1 < rows.size(); field += 2) {
        add_kept_field(rows[field].text(), rows[field + 1].text(), session);
    }
    std::ranges::sort(session.messages, {}, &StoredSession::Message::number);
    return session;
}

/// Reads so many replies; the first error of them.
Result<void> read_replies(RedisConnection& connection, std::size_t replies) {
    Result<void> result;
    for (std::size_t i = 0; i < replies; ++i) {
        const auto reply = connection.read();
        if (!reply && result) {
            result = tl::unexpected(reply.error());
        }
    }
    return result;
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

void RedisSessionStore::heed(const RedisSessionNotice& notice) {
    const auto pending = hand_overs_.find({notice.session, notice.at});
    if (notice.is_given) {
        if (pending != hand_overs_.end() && pending->second.epoch == notice.epoch) {
            given_.Increment(static_cast<double>(pending->second.waits_for.erase(notice.other)));
        }
        return;
    }
    LostSession lost{.session = notice.session, .epoch = notice.epoch, .claimed_by = notice.other};
    if (pending != hand_overs_.end() && pending->second.epoch < notice.epoch) {
        pending->second.lost.push_back(std::move(lost));
    } else {
        tell(notice.at, lost);
    }
}

void RedisSessionStore::tell(const std::string& gateway, const LostSession& lost) {
    const std::lock_guard lock(watchers_mutex_);
    if (const auto found = watchers_.find(gateway); found != watchers_.end()) {
        found->second.on_lost(lost);
    }
}

/// Those that were answered, or wait for other gateways, leave `claims`.
void RedisSessionStore::send_claims(RedisConnection& connection, std::vector<Claim>& claims) {
    std::vector<Claim> sent;
    std::vector<Claim> later;
    std::set<SessionAtGateway> in_this_round;
    for (Claim& claim : claims) {
        const SessionAtGateway at(claim.session, claim.gateway);
        const auto pending = hand_overs_.find(at);
        if (pending != hand_overs_.end()) {
            pending->second.behind.push_back(std::move(claim));
            continue;
        }
        if (!in_this_round.insert(at).second) {
            later.push_back(std::move(claim));  // whether it waits is known when the one before is answered
            continue;
        }
        append_claim(connection, link_.script(claim_script), redis_session_key(claim.session), claim.gateway, highest_);
        sent.push_back(std::move(claim));
    }
    claims.clear();
    claim_again(later);
    std::vector<SessionAtGateway> begun;
    std::optional<Error> error;
    for (Claim& claim : sent) {
        const auto reply = connection.read();
        if (!reply) {
            error = reply.error();
            claims.push_back(std::move(claim));
            continue;
        }
        claims_total_.Increment();
        const SessionEpoch epoch = (*reply)[0].unsigned_integer();
        highest_ = std::max(highest_, epoch);
        const SessionAtGateway at(claim.session, claim.gateway);
        if (reply->size() == 1) {
            claim.done(SessionClaim{.epoch = epoch});
        } else {
            HandOver hand_over{.claim = std::move(claim),
                               .epoch = epoch,
                               .holders = {},
                               .waits_for = {},
                               .until = Steady::now() + options_.hand_over_max};
            for (std::size_t i = 1; i < reply->size(); ++i) {
                hand_over.holders.emplace_back((*reply)[i].text());
                hand_over.waits_for.emplace((*reply)[i].text());
            }
            hand_overs_.emplace(at, std::move(hand_over));
            begun.push_back(at);
        }
    }
    if (!error && !begun.empty()) {
        if (const auto asked = ask_holders(connection, begun); !asked) {
            error = asked.error();
        }
    }
    if (error) {
        link_.note(*error);
    }
}

/// In the next round, before those that came since.
void RedisSessionStore::claim_again(std::vector<Claim>& claims) {
    const std::lock_guard lock(mutex_);
    claims_.insert(claims_.begin(), std::make_move_iterator(claims.begin()), std::make_move_iterator(claims.end()));
    claims.clear();
}

/// The dead are not waited for.
Result<void> RedisSessionStore::ask_holders(RedisConnection& connection, const std::vector<SessionAtGateway>& begun) {
    for (const SessionAtGateway& at : begun) {
        const HandOver& hand_over = hand_overs_.at(at);
        for (const std::string& holder : hand_over.holders) {
            append_notice(connection, holder, "lost", at.first, hand_over.epoch, at.second);
            connection.append({"EXISTS", redis_alive_key(holder)});
        }
    }
    Result<void> result;
    for (const SessionAtGateway& at : begun) {
        HandOver& hand_over = hand_overs_.at(at);
        for (const std::string& holder : hand_over.holders) {
            const auto told = read_replies(connection, 1);
            const auto alive = connection.read();
            if (told && alive) {
                if (alive->integer() == 0) {
                    hand_over.waits_for.erase(holder);
                    taken_from_dead_.Increment();
                }
            } else if (result) {
                result = tl::unexpected(told ? alive.error() : told.error());
            }
        }
    }
    return result;
}

void RedisSessionStore::finish_hand_overs(RedisConnection* connection) {
    const Steady::time_point now = Steady::now();
    std::vector<SessionAtGateway> ready;
    for (const auto& [at, hand_over] : hand_overs_) {
        if (hand_over.waits_for.empty() || hand_over.until <= now || connection == nullptr) {
            ready.push_back(at);
        }
    }
    std::optional<Error> error;
    for (const SessionAtGateway& at : ready) {
        const HandOver& hand_over = hand_overs_.at(at);
        if (connection == nullptr || error) {
            finish(at, fail(ErrorCode::unavailable, "the session store cannot be reached"));
            continue;
        }
        taken_late_.Increment(static_cast<double>(hand_over.waits_for.size()));
        auto taken = take_over(*connection, hand_over);
        if (!taken) {
            error = taken.error();
        }
        finish(at, std::move(taken).map([&](std::optional<StoredSession>&& session) {
            return SessionClaim{.epoch = hand_over.epoch, .taken = std::move(session)};
        }));
    }
    if (error) {
        link_.note(*error);
    }
}

/// Answers the claim and what waited behind it.
void RedisSessionStore::finish(const SessionAtGateway& at, Result<SessionClaim> answer) {
    HandOver ended = std::move(hand_overs_.extract(at).mapped());
    claims_refused_.Increment(answer ? 0 : 1);
    ended.claim.done(std::move(answer));
    claim_again(ended.behind);
    for (const LostSession& lost : ended.lost) {
        tell(at.second, lost);
    }
}

/// In the index first: a session that is stored is always in it.
Result<std::optional<StoredSession>> RedisSessionStore::take_over(RedisConnection& connection,
                                                                  const HandOver& hand_over) {
    const std::string& session = hand_over.claim.session;
    const std::string& gateway = hand_over.claim.gateway;
    const std::string claim_key = redis_session_key(session);
    const std::string to = redis_kept_key(session, gateway);
    connection.append({"SADD", redis_kept_index_key(gateway), session});
    for (const std::string& holder : hand_over.holders) {
        connection.append(
            {"EVALSHA", link_.script(take_script), "3", claim_key, redis_kept_key(session, holder), to, holder});
        connection.append({"SREM", redis_kept_index_key(holder), session});
    }
    Result<void> result = read_replies(connection, 1);
    std::optional<StoredSession> taken;
    bool is_kept = false;
    for (std::size_t i = 0; i < hand_over.holders.size(); ++i) {
        const auto moved = connection.read();
        const auto unindexed = read_replies(connection, 1);
        if (!moved || !unindexed) {
            result = result ? Result<void>(tl::unexpected(moved ? unindexed.error() : moved.error())) : result;
            continue;
        }
        is_kept = (*moved)[0].integer() == 1;
        if ((*moved)[1].size() > 0) {
            taken = session_of(session, (*moved)[1]);
        }
    }
    if (!result) {
        return tl::unexpected(result.error());
    }
    if (!is_kept) {
        (void)unindex(connection, {{session, gateway}});  // a broken connection is noticed by whoever is next
    }
    return taken;
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
