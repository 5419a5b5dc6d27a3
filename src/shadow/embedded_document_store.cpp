#include "shadow/embedded_document_store.h"

#include <algorithm>

#include <rocksdb/write_batch.h>

#include "base/assert.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

constexpr std::size_t collection_bytes_max = 32;
constexpr std::size_t key_bytes_max = 512;

// Stored key: collection, a zero byte, key. Collections are [a-z_], so one collection's keys lie together.
std::string stored_key(std::string_view collection, std::string_view key) {
    MUSTER_ASSERT(
        !collection.empty() && collection.size() <= collection_bytes_max &&
        std::all_of(collection.begin(), collection.end(), [](char c) { return c == '_' || (c >= 'a' && c <= 'z'); }));
    MUSTER_ASSERT(key.size() <= key_bytes_max);
    std::string stored;
    stored.reserve(collection.size() + 1 + key.size());
    stored.append(collection).push_back('\0');
    stored.append(key);
    return stored;
}

}  // namespace

Result<std::unique_ptr<EmbeddedDocumentStore>> EmbeddedDocumentStore::open(const std::string& directory) {
    RocksOptions options;
    options.directory = directory;
    options.what = "document store";
    auto database = RocksDatabase::open(std::move(options));
    if (!database) {
        return tl::unexpected(std::move(database.error()));
    }
    return std::unique_ptr<EmbeddedDocumentStore>(new EmbeddedDocumentStore(std::move(*database)));
}

EmbeddedDocumentStore::EmbeddedDocumentStore(std::unique_ptr<RocksDatabase> database)
    : database_(std::move(database)) {}
EmbeddedDocumentStore::~EmbeddedDocumentStore() = default;

Result<std::optional<std::string>> EmbeddedDocumentStore::get(std::string_view collection, std::string_view key) const {
    std::string document;
    const auto status = database_->db().Get(rocksdb::ReadOptions(), stored_key(collection, key), &document);
    if (status.IsNotFound()) {
        return std::nullopt;
    }
    if (auto read = rocks_result(status, "cannot read a document"); !read) {
        return tl::unexpected(std::move(read.error()));
    }
    return document;
}

Result<std::vector<std::pair<std::string, std::string>>> EmbeddedDocumentStore::list(std::string_view collection,
                                                                                     std::string_view prefix,
                                                                                     std::string_view after,
                                                                                     std::size_t limit) const {
    const std::string first = stored_key(collection, prefix);
    const std::string last = stored_key(collection, after);
    const std::unique_ptr<rocksdb::Iterator> at(database_->db().NewIterator(rocksdb::ReadOptions()));
    std::vector<std::pair<std::string, std::string>> found;
    for (at->Seek(std::max(first, last)); found.size() < limit && at->Valid() && at->key().starts_with(first);
         at->Next()) {
        if (after.empty() || view_of(at->key()) > last) {
            found.emplace_back(view_of(at->key()).substr(collection.size() + 1), view_of(at->value()));
        }
    }
    if (auto read = rocks_result(at->status(), "cannot list documents"); !read) {
        return tl::unexpected(std::move(read.error()));
    }
    return found;
}

Result<void> EmbeddedDocumentStore::commit(std::span<const DocumentWrite> writes) {
    rocksdb::WriteBatch batch;
    for (const DocumentWrite& write : writes) {
        const std::string key = stored_key(write.collection, write.key);
        const auto status = write.document ? batch.Put(key, *write.document) : batch.Delete(key);
        if (auto added = rocks_result(status, "cannot prepare a document"); !added) {
            return added;
        }
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    return rocks_result(database_->db().Write(options, &batch), "cannot write documents");
}

}  // namespace muster
