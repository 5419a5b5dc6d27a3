#include "gateway/embedded_session_store.h"

#include <limits>

#include "base/bytes.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

// Keys: "start" and "gateway/{name}". Values: u64 little-endian, the last number given.
const std::string start_key = "start";
const std::string gateway_prefix = "gateway/";

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

EmbeddedSessionStore::EmbeddedSessionStore(std::unique_ptr<RocksDatabase> database) : database_(std::move(database)) {}

EmbeddedSessionStore::~EmbeddedSessionStore() = default;

// The number after the stored one, durable before it is given. Called by one thread at a time.
Result<std::uint64_t> EmbeddedSessionStore::raise(const std::string& key) {
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

}  // namespace muster
