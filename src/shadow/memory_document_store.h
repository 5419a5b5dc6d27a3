#pragma once

#include <map>
#include <string>

#include "shadow/document_store.h"

namespace muster {

/// A DocumentStore in memory, for tests: it can be told to fail. One thread.
class MemoryDocumentStore final : public DocumentStore {
 public:
    bool fails = false;

    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view collection,
                                                         std::string_view key) const override {
        if (fails) {
            return fail(ErrorCode::unavailable, "told to fail");
        }
        const auto found = documents_.find({std::string(collection), std::string(key)});
        return found == documents_.end() ? std::nullopt : std::optional(found->second);
    }
    [[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> list(std::string_view collection,
                                                                                std::string_view prefix,
                                                                                std::string_view after,
                                                                                std::size_t limit) const override {
        if (fails) {
            return fail(ErrorCode::unavailable, "told to fail");
        }
        std::vector<std::pair<std::string, std::string>> found;
        for (const auto& [place, document] : documents_) {
            if (place.first == collection && place.second.starts_with(prefix) &&
                (after.empty() || place.second > after) && found.size() < limit) {
                found.emplace_back(place.second, document);
            }
        }
        return found;
    }
    [[nodiscard]] Result<void> commit(std::span<const DocumentWrite> writes) override {
        if (fails) {
            return fail(ErrorCode::unavailable, "told to fail");
        }
        for (const DocumentWrite& write : writes) {
            if (write.document) {
                documents_[{std::string(write.collection), write.key}] = *write.document;
            } else {
                documents_.erase({std::string(write.collection), write.key});
            }
        }
        return {};
    }
    [[nodiscard]] std::size_t size() const { return documents_.size(); }

 private:
    std::map<std::pair<std::string, std::string>, std::string> documents_;
};

}  // namespace muster
