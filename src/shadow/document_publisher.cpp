#include "shadow/document_publisher.h"

#include <atomic>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/thread.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"

namespace muster {
namespace {

// In the publisher's own store, never on the bus. "unpublished": the keys of records that are committed and not known
// to be on the bus. "publisher": one document that says that the store is not new.
constexpr std::string_view unpublished = "unpublished";
constexpr std::string_view publisher = "publisher";
constexpr std::string_view marker_key = "filled";

constexpr std::size_t left_over_page = 500;
constexpr std::size_t commit_documents = 500;
constexpr Millis drain_timeout{10'000};
constexpr Millis poll_wait{200};
constexpr Millis fill_patience{60'000};  ///< without a record and without the end

/// The key of a record: "collection/key". A collection has no slash.
std::string record_key(std::string_view collection, std::string_view key) {
    std::string out(collection);
    out.push_back('/');
    return out.append(key);
}

struct Place {
    std::string_view collection;
    std::string_view key;
};

std::optional<Place> place_of(std::string_view record_key) {
    const auto slash = record_key.find('/');
    if (slash == 0 || slash == std::string_view::npos) {
        return std::nullopt;
    }
    return Place{record_key.substr(0, slash), record_key.substr(slash + 1)};
}

/// Collects what records say and commits it, some hundred at a time. The collections' names have to stay.
class Applier final {
 public:
    explicit Applier(DocumentStore& store) : store_(store) {}

    void add(const ConsumerRecord& record) {
        const auto place = place_of(record.key);
        if (!place) {
            return;
        }
        const std::string& collection = *collections_.emplace(place->collection).first;
        writes_.push_back({collection, std::string(place->key),
                           record.tombstone ? std::nullopt : std::optional(std::string(record.value))});
    }
    [[nodiscard]] bool is_full() const { return writes_.size() >= commit_documents; }
    /// What failed stays, for the next attempt.
    [[nodiscard]] Result<void> commit() {
        if (writes_.empty()) {
            return {};
        }
        auto done = store_.commit(writes_);
        if (done) {
            writes_.clear();
        }
        return done;
    }

 private:
    DocumentStore& store_;
    std::set<std::string, std::less<>> collections_;
    std::vector<DocumentWrite> writes_;
};

Result<std::unique_ptr<Consumer>> consumer_of(Bus& bus, std::size_t records_max) {
    if (const auto opened = bus.open_topic(standard_topic(bus_topics::documents)); !opened) {
        return tl::unexpected(opened.error());
    }
    ConsumerOptions options;
    options.topics = {std::string(bus_topics::documents)};
    options.poll_records_max = records_max;
    return bus.consumer(std::move(options));
}

}  // namespace

// DocumentPublisher ---------------------------------------------------------------------------------------------------

DocumentPublisher::DocumentPublisher(DocumentStore& store, TopicId topic, Bus& bus, MetricRegistry& metrics)
    : store_(store),
      topic_(topic),
      published_(metrics.counter("muster_shadow_documents_published_total", "Documents put on muster.documents")),
      failures_(metrics.counter("muster_shadow_document_publish_failures_total",
                                "Commits whose documents the bus did not take; they are repeated")) {
    ProducerOptions options;
    options.name = "documents";
    producer_ = bus.producer(std::move(options));
}

Result<std::unique_ptr<DocumentPublisher>> DocumentPublisher::start(DocumentStore& store, Bus& bus,
                                                                    MetricRegistry& metrics) {
    const auto topic = bus.open_topic(standard_topic(bus_topics::documents));
    if (!topic) {
        return tl::unexpected(topic.error());
    }
    std::unique_ptr<DocumentPublisher> made(new DocumentPublisher(store, *topic, bus, metrics));
    auto ready = made->fill_from_bus(bus);
    if (ready) {
        ready = made->publish_left_over();
    }
    if (!ready) {
        return tl::unexpected(ready.error());
    }
    return made;
}

Result<void> DocumentPublisher::fill_from_bus(Bus& bus) {
    const auto marker = store_.get(publisher, marker_key);
    if (!marker) {
        return tl::unexpected(marker.error());
    }
    if (*marker) {
        return {};
    }
    auto consumer = consumer_of(bus, commit_documents);
    if (!consumer) {
        return tl::unexpected(consumer.error());
    }
    Applier applier(store_);
    std::size_t records = 0;
    for (Millis idle{0}; !(*consumer)->caught_up();) {
        const auto polled = (*consumer)->poll(poll_wait, [&](const ConsumerRecord& record) { applier.add(record); });
        if (!polled) {
            return tl::unexpected(polled.error());
        }
        if (auto done = applier.commit(); !done) {
            return done;
        }
        records += *polled;
        idle = *polled == 0 ? idle + poll_wait : Millis(0);
        if (idle > fill_patience) {
            return fail(ErrorCode::timed_out, "muster.documents cannot be read to its end");
        }
    }
    if (records > 0) {
        spdlog::info("shadow: the documents were read from the bus ({} records)", records);
    }
    const DocumentWrite mark[] = {{publisher, std::string(marker_key), "1"}};
    return store_.commit(mark);
}

/// What an earlier start committed and perhaps did not put on the bus: as it stands now.
Result<void> DocumentPublisher::publish_left_over() {
    for (std::string after;;) {
        const auto page = store_.list(unpublished, {}, after, left_over_page);
        if (!page) {
            return tl::unexpected(page.error());
        }
        for (const auto& [key, ignored] : *page) {
            const auto place = place_of(key);
            const auto document = place ? store_.get(place->collection, place->key) : std::nullopt;
            if (!document) {
                return tl::unexpected(document.error());
            }
            if (auto sent = send(key, *document); !sent) {
                return sent;
            }
            settled_.insert(key);
        }
        if (page->size() < left_over_page) {
            break;
        }
        after = page->back().first;
    }
    return producer_->drain(drain_timeout);
}

Result<void> DocumentPublisher::commit(std::span<const DocumentWrite> writes) {
    const std::lock_guard lock(mutex_);
    std::vector<DocumentWrite> all(writes.begin(), writes.end());
    std::set<std::string> noted;
    for (const DocumentWrite& write : writes) {
        noted.insert(record_key(write.collection, write.key));
    }
    for (const std::string& key : settled_) {
        if (!noted.contains(key)) {
            all.push_back({unpublished, key, std::nullopt});
        }
    }
    for (const std::string& key : noted) {
        all.push_back({unpublished, key, std::string()});
    }
    if (auto kept = store_.commit(all); !kept) {
        return kept;
    }
    settled_.clear();
    if (auto sent = publish(writes); !sent) {
        failures_.Increment();
        return sent;
    }
    settled_ = std::move(noted);
    published_.Increment(static_cast<double>(writes.size()));
    return {};
}

Result<void> DocumentPublisher::publish(std::span<const DocumentWrite> writes) {
    for (const DocumentWrite& write : writes) {
        if (auto sent = send(record_key(write.collection, write.key), write.document); !sent) {
            return sent;
        }
    }
    return producer_->drain(drain_timeout);
}

Result<void> DocumentPublisher::send(std::string_view key, const std::optional<std::string>& document) {
    ProducerRecord record;
    record.key = key;
    record.tombstone = !document.has_value();
    record.value = document ? std::string_view(*document) : std::string_view{};
    auto sent = producer_->send(topic_, record, 0);
    if (!sent && sent.error().code == ErrorCode::queue_full) {
        if (auto drained = producer_->drain(drain_timeout); !drained) {
            return drained;
        }
        sent = producer_->send(topic_, record, 0);
    }
    return sent;
}

// DocumentFollower ----------------------------------------------------------------------------------------------------

class DocumentFollower::Reader final {
 public:
    Reader(std::unique_ptr<Consumer> consumer, DocumentStore& store, MetricRegistry& metrics)
        : consumer_(std::move(consumer)),
          applier_(store),
          documents_(metrics.counter("muster_documents_followed_total", "Documents taken from muster.documents")) {
        thread_ = start_thread("documents", [this] { run(); });
    }
    ~Reader() {
        stopping_ = true;
        consumer_->wake();
        thread_.join();
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    [[nodiscard]] bool caught_up() const { return caught_up_; }

 private:
    void run() {
        while (!stopping_) {
            // What could not be stored is stored before more is read.
            const auto polled = applier_.is_full() ? Result<std::size_t>(0)
                                                   : consumer_->poll(poll_wait, [this](const ConsumerRecord& record) {
                                                         applier_.add(record);
                                                         documents_.Increment();
                                                     });
            const auto stored = applier_.commit();
            if (!polled || !stored) {
                spdlog::warn("api: the documents cannot be followed: {}",
                             (polled ? stored.error() : polled.error()).message());
                std::this_thread::sleep_for(poll_wait);
                continue;
            }
            caught_up_ = caught_up_ || consumer_->caught_up();
        }
    }

    const std::unique_ptr<Consumer> consumer_;
    Applier applier_;
    Counter& documents_;
    std::atomic<bool> caught_up_{false};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

Result<std::unique_ptr<DocumentFollower>> DocumentFollower::start(DocumentStore& store, Bus& bus,
                                                                  MetricRegistry& metrics) {
    auto consumer = consumer_of(bus, commit_documents);
    if (!consumer) {
        return tl::unexpected(consumer.error());
    }
    return std::unique_ptr<DocumentFollower>(
        new DocumentFollower(std::make_unique<Reader>(std::move(*consumer), store, metrics)));
}

DocumentFollower::DocumentFollower(std::unique_ptr<Reader> reader) : reader_(std::move(reader)) {}
DocumentFollower::~DocumentFollower() = default;

bool DocumentFollower::caught_up() const {
    return reader_->caught_up();
}

}  // namespace muster
