#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "shadow/document_store.h"

namespace muster {

/// The writes of one commit while they are made: reads see them before the store has them; a document that is written
/// twice is in it once. Owned by the shadow role's thread; bounded by the records of one poll.
class DocumentBatch final {
 public:
    explicit DocumentBatch(const DocumentStore& store) : store_(store) {}

    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view collection, std::string_view key) const;
    /// What the store has, without the writes of this batch.
    [[nodiscard]] const DocumentStore& store() const { return store_; }
    /// `collection` is kept as a view: one of document_keys.
    void put(std::string_view collection, std::string key, std::string document);
    void remove(std::string_view collection, std::string key);

    [[nodiscard]] const std::vector<DocumentWrite>& writes() const { return writes_; }
    void clear();

 private:
    void write(DocumentWrite write);

    const DocumentStore& store_;
    std::vector<DocumentWrite> writes_;
    std::unordered_map<std::string, std::size_t> places_;  ///< collection, zero byte, key → index of writes_
};

}  // namespace muster
