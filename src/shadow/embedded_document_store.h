#pragma once

#include <memory>
#include <string>

#include "shadow/document_store.h"

namespace muster {

class RocksDatabase;

/// The DocumentStore in a RocksDB of its own. A commit is one write batch, synced: all of it or nothing, and kept when
/// it returns. Any thread. Memory is bounded by what all databases of the process share (storage/embedded_rocksdb.h).
class EmbeddedDocumentStore final : public DocumentStore {
 public:
    /// As RocksDatabase::open: invalid_argument or corrupt, with the directory and what to do.
    [[nodiscard]] static Result<std::unique_ptr<EmbeddedDocumentStore>> open(const std::string& directory);
    ~EmbeddedDocumentStore() override;

    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view collection,
                                                         std::string_view key) const override;
    [[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> list(std::string_view collection,
                                                                                std::string_view prefix,
                                                                                std::string_view after,
                                                                                std::size_t limit) const override;
    [[nodiscard]] Result<void> commit(std::span<const DocumentWrite> writes) override;

 private:
    explicit EmbeddedDocumentStore(std::unique_ptr<RocksDatabase> database);

    std::unique_ptr<RocksDatabase> database_;
};

}  // namespace muster
