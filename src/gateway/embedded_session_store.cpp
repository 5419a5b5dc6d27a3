#include "gateway/embedded_session_store.h"

#include <algorithm>
#include <limits>

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

void EmbeddedSessionStore::claim(std::string_view, std::string_view, std::function<void(Result<SessionEpoch>)> done) {
    done(next_epoch());
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
