#include <algorithm>

#include "gateway/redis_session_commands.h"
#include "gateway/redis_session_store.h"

// How sessions change gateways: claims, who held the session before, and what it kept.

namespace muster {

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

}  // namespace muster
