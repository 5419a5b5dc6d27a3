#include "gateway/embedded_session_store.h"

#include <algorithm>
#include <limits>

#include <rocksdb/write_batch.h>

#include "base/bytes.h"
#include "gateway/embedded_session_writer.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

// Keys: "start" and "gateway/{name}". Values: u64 little-endian, the last number given. Kept sessions: see
// embedded_session_writer.h.
const std::string start_key = "start";
const std::string gateway_prefix = "gateway/";

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t number = 0;
    for (const char byte : bytes) {
        number = number << 8U | static_cast<std::uint8_t>(byte);
    }
    return number;
}

// `name`: what follows the session in a row's key, see kept_key(). A name that is none of ours is passed over.
void add_row(std::string_view name, std::string_view value, StoredSession& session) {
    if (name.empty()) {
        session.document = value;
    } else if (name.front() == 'm' && name.size() == 1 + 8) {
        session.messages.push_back({big_endian(name.substr(1)), std::string(value)});
    } else if (name.front() == 'i' && name.size() == 1 + 2) {
        session.packet_ids.push_back(static_cast<std::uint16_t>(big_endian(name.substr(1))));
    }
}

}  // namespace

Result<std::unique_ptr<EmbeddedSessionStore>> EmbeddedSessionStore::open(const std::string& directory) {
    auto database = RocksDatabase::open({.directory = directory, .what = "session store"});
    if (!database) {
        return tl::unexpected(database.error());
    }
    std::unique_ptr<EmbeddedSessionStore> store(new EmbeddedSessionStore(std::move(*database)));
    const Result<std::uint64_t> start = store->raise(start_key);
    if (!start) {
        return tl::unexpected(start.error());
    }
    store->start_ = *start;
    if (const Result<void> looked = store->look_for_gateways(); !looked) {
        return tl::unexpected(looked.error());
    }
    return store;
}

EmbeddedSessionStore::EmbeddedSessionStore(std::unique_ptr<RocksDatabase> database)
    : database_(std::move(database)), writer_(std::make_unique<EmbeddedSessionWriter>(*database_, in_use_)) {}

EmbeddedSessionStore::~EmbeddedSessionStore() = default;

// The number after the stored one, durable before it is given. Called by one thread at a time.
Result<std::uint64_t> EmbeddedSessionStore::raise(const std::string& key) {
    const std::shared_lock in_use(in_use_);
    if (!database_->is_open()) {
        return fail(ErrorCode::unavailable, "the session store is closed after an error");
    }
    std::string stored;
    std::uint64_t number = 0;
    const rocksdb::Status found = database_->db().Get(rocksdb::ReadOptions(), key, &stored);
    if (found.ok()) {
        ByteReader reader(stored);
        number = reader.number<std::uint64_t>();
        if (!reader.ok() || !reader.at_end()) {
            return fail(ErrorCode::corrupt, "the session store is damaged and was left as it is",
                        database_->directory() + ": restore it from a backup, or move it away to start empty");
        }
    } else if (!found.IsNotFound()) {
        return tl::unexpected(rocks_result(found, "cannot read the session store").error());
    }
    ++number;
    std::string value;
    ByteWriter(value).number(number);
    rocksdb::WriteOptions durably;
    durably.sync = true;
    if (const auto put = rocks_result(database_->db().Put(durably, key, value), "cannot write the session store");
        !put) {
        return tl::unexpected(put.error());
    }
    return number;
}

/// Those that have left sessions behind: under another name, or in a process of several.
Result<void> EmbeddedSessionStore::look_for_gateways() {
    const std::unique_ptr<rocksdb::Iterator> names(database_->db().NewIterator(rocksdb::ReadOptions()));
    const std::unique_ptr<rocksdb::Iterator> rows(database_->db().NewIterator(rocksdb::ReadOptions()));
    for (names->Seek(gateway_prefix); names->Valid() && names->key().starts_with(gateway_prefix); names->Next()) {
        const std::string_view name = view_of(names->key()).substr(gateway_prefix.size());
        const std::string prefix = kept_prefix(name);
        rows->Seek(prefix);
        if (rows->Valid() && rows->key().starts_with(prefix)) {
            gateways_.emplace(name);
        }
    }
    return rocks_result(names->status(), "cannot read the session store").and_then([&] {
        return rocks_result(rows->status(), "cannot read kept sessions");
    });
}

Result<Incarnation> EmbeddedSessionStore::begin_incarnation(std::string_view gateway) {
    const std::lock_guard lock(mutex_);
    return raise(gateway_prefix + std::string(gateway));
}

Result<SessionEpoch> EmbeddedSessionStore::next_epoch() {
    const std::lock_guard lock(mutex_);
    if (claims_ == std::numeric_limits<std::uint32_t>::max()) {
        const Result<std::uint64_t> start = raise(start_key);
        if (!start) {
            return fail(ErrorCode::unavailable, "the session store cannot be written");
        }
        start_ = *start;
        claims_ = 0;
    }
    return start_ << 32U | ++claims_;
}

void EmbeddedSessionStore::claim(std::string_view session, std::string_view gateway, Done done) {
    SessionAtGateway claimed(session, gateway);
    std::unique_lock lock(hand_over_mutex_);
    if (const auto pending = hand_overs_.find(claimed); pending != hand_overs_.end()) {
        pending->second.behind.push_back(std::move(done));
        return;
    }
    const Result<SessionEpoch> epoch = next_epoch();
    const auto is_other = [&](const std::string& name) { return name != gateway; };
    std::set<std::string> asked;
    for (const auto& [name, watcher] : watchers_) {
        if (is_other(name)) {
            asked.insert(name);
        }
    }
    if (!epoch || (asked.empty() && std::ranges::none_of(gateways_, is_other))) {
        lock.unlock();
        done(epoch.map([](SessionEpoch given) { return SessionClaim{.epoch = given}; }));
        return;
    }
    hand_overs_.emplace(claimed, HandOver{.epoch = *epoch, .done = std::move(done), .waits_for = asked});
    lock.unlock();
    if (asked.empty()) {
        finish(claimed);
    }
    for (const std::string& other : asked) {
        tell(other, {.session = claimed.first, .epoch = *epoch, .claimed_by = claimed.second});
    }
}

void EmbeddedSessionStore::tell(const std::string& gateway, const LostSession& lost) {
    std::shared_ptr<Watcher> watcher;
    {
        const std::lock_guard lock(hand_over_mutex_);
        const auto pending = hand_overs_.find({lost.session, gateway});
        if (pending != hand_overs_.end() && pending->second.epoch < lost.epoch) {
            pending->second.lost.push_back(lost);
            return;
        }
        const auto found = watchers_.find(gateway);
        watcher = found == watchers_.end() ? nullptr : found->second;
    }
    if (watcher) {
        const std::lock_guard lock(watcher->mutex);
        if (watcher->on_lost) {
            watcher->on_lost(lost);
        }
    }
}

Result<std::shared_ptr<void>> EmbeddedSessionStore::watch(std::string_view gateway, OnLost on_lost) {
    auto watcher = std::make_shared<Watcher>();
    watcher->on_lost = std::move(on_lost);
    std::string name(gateway);
    const std::lock_guard lock(hand_over_mutex_);
    watchers_[name] = watcher;
    gateways_.erase(name);
    return std::shared_ptr<void>(watcher.get(), [this, watcher, name](void*) {
        {
            const std::lock_guard inner(watcher->mutex);
            watcher->on_lost = nullptr;
        }
        let_go(name);
    });
}

void EmbeddedSessionStore::let_go(const std::string& gateway) {
    std::vector<std::pair<SessionAtGateway, SessionEpoch>> waiting;
    {
        const std::lock_guard lock(hand_over_mutex_);
        watchers_.erase(gateway);
        gateways_.insert(gateway);
        for (const auto& [claimed, hand_over] : hand_overs_) {
            if (hand_over.waits_for.contains(gateway)) {
                waiting.emplace_back(claimed, hand_over.epoch);
            }
        }
    }
    for (const auto& [claimed, epoch] : waiting) {
        answered(gateway, claimed, epoch);
    }
}

void EmbeddedSessionStore::give_up(std::string_view gateway, const LostSession& lost) {
    answered(std::string(gateway), {lost.session, lost.claimed_by}, lost.epoch);
}

void EmbeddedSessionStore::answered(const std::string& gateway, const SessionAtGateway& claimed, SessionEpoch epoch) {
    {
        const std::lock_guard lock(hand_over_mutex_);
        const auto pending = hand_overs_.find(claimed);
        if (pending == hand_overs_.end() || pending->second.epoch != epoch ||
            pending->second.waits_for.erase(gateway) == 0 || !pending->second.waits_for.empty()) {
            return;
        }
    }
    finish(claimed);
}

void EmbeddedSessionStore::finish(const SessionAtGateway& claimed) {
    writer_->submit({claimed.second, {}, [this, claimed](const Result<void>&) { move_and_answer(claimed); }});
}

void EmbeddedSessionStore::move_and_answer(const SessionAtGateway& claimed) {
    auto moved = move(claimed);
    HandOver answered;
    {
        const std::lock_guard lock(hand_over_mutex_);
        HandOver& pending = hand_overs_[claimed];
        answered.epoch = pending.epoch;
        answered.done = std::move(pending.done);
    }
    answered.done(std::move(moved).map([&](std::optional<StoredSession>&& taken) {
        return SessionClaim{.epoch = answered.epoch, .taken = std::move(taken)};
    }));
    {
        const std::lock_guard lock(hand_over_mutex_);
        const auto pending = hand_overs_.find(claimed);
        answered.behind = std::move(pending->second.behind);
        answered.lost = std::move(pending->second.lost);
        hand_overs_.erase(pending);
    }
    for (Done& done : answered.behind) {
        claim(claimed.first, claimed.second, std::move(done));
    }
    for (const LostSession& lost : answered.lost) {
        tell(claimed.second, lost);
    }
}

/// By the writer's thread: all that was handed over before is written.
Result<std::optional<StoredSession>> EmbeddedSessionStore::move(const SessionAtGateway& claimed) {
    std::set<std::string> others;
    {
        const std::lock_guard lock(hand_over_mutex_);
        others = gateways_;
        for (const auto& [name, watcher] : watchers_) {
            others.insert(name);
        }
    }
    others.erase(claimed.second);
    const std::shared_lock in_use(in_use_);
    if (!database_->is_open()) {
        return fail(ErrorCode::unavailable, "the session store is closed after an error");
    }
    const std::string to = kept_prefix(claimed.second) + claimed.first + '\0';
    StoredSession session;
    rocksdb::WriteBatch batch;
    for (const std::string& other : others) {
        const std::string from = kept_prefix(other) + claimed.first + '\0';
        const std::unique_ptr<rocksdb::Iterator> at(database_->db().NewIterator(rocksdb::ReadOptions()));
        for (at->Seek(from); at->Valid() && at->key().starts_with(from); at->Next()) {
            const std::string_view name = view_of(at->key()).substr(from.size());
            add_row(name, view_of(at->value()), session);
            batch.Put(to + std::string(name), at->value());
            batch.Delete(at->key());
        }
        if (const auto read = rocks_result(at->status(), "cannot read kept sessions"); !read) {
            return tl::unexpected(read.error());
        }
    }
    if (batch.Count() == 0) {
        return std::nullopt;
    }
    rocksdb::WriteOptions durably;
    durably.sync = true;
    if (const auto moved = rocks_result(database_->db().Write(durably, &batch), "cannot move a kept session"); !moved) {
        return tl::unexpected(moved.error());
    }
    session.key = claimed.first;
    return std::optional(std::move(session));
}

void EmbeddedSessionStore::store(std::string_view gateway, std::vector<SessionChange> changes,
                                 std::function<void(const Result<void>&)> done) {
    writer_->submit({std::string(gateway), std::move(changes), std::move(done)});
}

Result<void> EmbeddedSessionStore::load(std::string_view gateway, FunctionRef<void(StoredSession&&)> visit) {
    const std::shared_lock in_use(in_use_);
    const std::string prefix = kept_prefix(gateway);
    rocksdb::ReadOptions once;
    once.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> at(database_->db().NewIterator(once));
    StoredSession session;
    const auto finish = [&] {
        if (!session.key.empty()) {
            visit(std::move(session));
        }
        session = {};
    };
    for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) {
        std::string_view rest = view_of(at->key()).substr(prefix.size());
        const std::string_view key = rest.substr(0, rest.find('\0'));
        rest.remove_prefix(std::min(rest.size(), key.size() + 1));
        if (key != session.key) {
            finish();
            session.key = key;
        }
        add_row(rest, view_of(at->value()), session);
    }
    finish();
    return rocks_result(at->status(), "cannot read kept sessions");
}

}  // namespace muster
