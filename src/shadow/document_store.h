#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace muster {

/// One write of a commit: a document, or its removal.
struct DocumentWrite {
    std::string_view collection;          ///< "shadow", "command", …: 1 to 32 of [a-z_]
    std::string key;                      ///< any bytes, at most 512, ordered bytewise
    std::optional<std::string> document;  ///< nullopt removes
};

/// The DocumentStore port: shadows, commands, jobs, registry. Written by the shadow role alone, read by it and the api
/// role. Any thread. Two implementations: embedded_document_store (RocksDB) and postgres_document_store.
class DocumentStore {
 public:
    virtual ~DocumentStore() = default;

    [[nodiscard]] virtual Result<std::optional<std::string>> get(std::string_view collection,
                                                                 std::string_view key) const = 0;
    /// Documents whose key starts with `prefix` and is greater than `after` (all when empty), ascending, at most
    /// `limit`.
    [[nodiscard]] virtual Result<std::vector<std::pair<std::string, std::string>>> list(std::string_view collection,
                                                                                        std::string_view prefix,
                                                                                        std::string_view after,
                                                                                        std::size_t limit) const = 0;
    /// All of it or nothing, durable when it returns.
    [[nodiscard]] virtual Result<void> commit(std::span<const DocumentWrite> writes) = 0;
};

}  // namespace muster
