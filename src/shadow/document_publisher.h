#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/metrics.h"
#include "base/result.h"
#include "bus/bus.h"
#include "shadow/document_store.h"

namespace muster {

/// The shadow role's DocumentStore where other processes read its documents: what it commits to the store of its own
/// disk it then puts on muster.documents, for every DocumentFollower. Which documents are committed and not yet known
/// to be on the bus is in the same commit, so that a kill between the two is made good at the next start. A disk that
/// is new is filled from the bus first.
///
/// commit() returns when both have it; when the bus does not, it fails, and the caller repeats the same commit. Any
/// thread; commits are one after the other.
class DocumentPublisher final : public DocumentStore {
 public:
    /// Fills `store` from the bus where it is new; publishes what an earlier start left. `store`, `bus` and `metrics`
    /// outlive it.
    [[nodiscard]] static Result<std::unique_ptr<DocumentPublisher>> start(DocumentStore& store, Bus& bus,
                                                                          MetricRegistry& metrics);

    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view collection,
                                                         std::string_view key) const override {
        return store_.get(collection, key);
    }
    [[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> list(std::string_view collection,
                                                                                std::string_view prefix,
                                                                                std::string_view after,
                                                                                std::size_t limit) const override {
        return store_.list(collection, prefix, after, limit);
    }
    [[nodiscard]] Result<void> commit(std::span<const DocumentWrite> writes) override;

 private:
    DocumentPublisher(DocumentStore& store, TopicId topic, Bus& bus, MetricRegistry& metrics);
    [[nodiscard]] Result<void> fill_from_bus(Bus& bus);
    [[nodiscard]] Result<void> publish_left_over();
    [[nodiscard]] Result<void> publish(std::span<const DocumentWrite> writes);
    [[nodiscard]] Result<void> send(std::string_view key, const std::optional<std::string>& document);

    DocumentStore& store_;
    const TopicId topic_;
    std::unique_ptr<Producer> producer_;
    Counter& published_;
    Counter& failures_;
    std::mutex mutex_;
    std::set<std::string> settled_;  ///< noted as not yet on the bus, and are: bounded by one commit; under mutex_
};

/// What DocumentPublishers have put on the bus, kept in a DocumentStore of this process. One thread of its own; reads
/// the topic from its beginning at every start.
class DocumentFollower final {
 public:
    /// `store` and `bus` outlive it; nobody else writes to `store`.
    [[nodiscard]] static Result<std::unique_ptr<DocumentFollower>> start(DocumentStore& store, Bus& bus,
                                                                         MetricRegistry& metrics);
    ~DocumentFollower();
    DocumentFollower(const DocumentFollower&) = delete;
    DocumentFollower& operator=(const DocumentFollower&) = delete;

    /// It has read all that there was. Any thread.
    [[nodiscard]] bool caught_up() const;

 private:
    class Reader;
    explicit DocumentFollower(std::unique_ptr<Reader> reader);
    std::unique_ptr<Reader> reader_;
};

}  // namespace muster
