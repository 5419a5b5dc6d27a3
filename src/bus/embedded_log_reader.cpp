#include "bus/embedded_log_reader.h"

#include <algorithm>

#include <rocksdb/iterator.h>

#include "base/assert.h"
#include "bus/embedded_log.h"
#include "bus/embedded_topic.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

constexpr std::size_t readahead_bytes = 256U << 10U;

}  // namespace

EmbeddedLogReader::EmbeddedLogReader(EmbeddedLog& log, const EmbeddedTopic& topic, Partition partition)
    : log_(log),
      topic_(topic),
      partition_(partition),
      first_key_(log_keys::record(partition, 0)),
      end_key_(log_keys::record(partition + 1, 0)),
      lower_(std::make_unique<rocksdb::Slice>(first_key_)),
      upper_(std::make_unique<rocksdb::Slice>(end_key_)) {
    log_.add_reader(*this);
}

EmbeddedLogReader::~EmbeddedLogReader() {
    const auto used = log_.in_use();
    log_.remove_reader(*this);
    iterator_.reset();
}

void EmbeddedLogReader::drop_iterator() {
    iterator_.reset();
}

Result<std::shared_ptr<const RecordBatch>> EmbeddedLogReader::read(Offset offset) {
    const auto used = log_.in_use();
    if (iterator_ != nullptr) {
        if (next_ == offset && iterator_->Valid()) {
            iterator_->Next();
        } else {
            seek(offset);
        }
        auto batch = read_from_iterator(offset);
        if (!batch || *batch != nullptr) {
            return batch;
        }
    }
    // What was written after the iterator was made is not seen by it.
    if (auto made = make_iterator(); !made) {
        return tl::unexpected(made.error());
    }
    seek(offset);
    return read_from_iterator(offset);
}

Result<void> EmbeddedLogReader::make_iterator() {
    rocksdb::ReadOptions options;
    options.readahead_size = readahead_bytes;
    options.fill_cache = false;  // a log is read once
    options.iterate_lower_bound = lower_.get();
    options.iterate_upper_bound = upper_.get();
    iterator_ = log_.iterator(options, topic_);
    if (iterator_ == nullptr) {
        return fail(ErrorCode::io, "the message bus is closed after an error of its disk");
    }
    return {};
}

void EmbeddedLogReader::seek(Offset offset) {
    // The key is that of a batch's first record: the batch with this offset may begin before it.
    const std::string key = log_keys::record(partition_, offset);
    iterator_->SeekForPrev(key);
    if (!iterator_->Valid()) {
        iterator_->Seek(key);
    }
}

Result<std::shared_ptr<const RecordBatch>> EmbeddedLogReader::read_from_iterator(Offset offset) {
    next_ = -1;
    Offset passed = offset;
    while (true) {
        if (!iterator_->Valid()) {
            if (iterator_->status().ok()) {
                return nullptr;
            }
            const auto skipped = skip_unreadable(passed);
            if (!skipped) {
                return tl::unexpected(skipped.error());
            }
            passed = *skipped;
            continue;
        }
        auto batch = open_batch(view_of(iterator_->value()));
        if (batch && batch->base == offset_of_key()) {
            if (batch->end > offset) {
                next_ = batch->end;
                return std::make_shared<const RecordBatch>(std::move(*batch));
            }
        } else if (offset_of_key() >= offset) {
            log_.report_damage(
                topic_, partition_, offset_of_key(),
                batch ? Error{ErrorCode::corrupt, "record batch under another one's key", {}} : batch.error());
        }
        passed = std::max(passed, offset_of_key() + 1);
        iterator_->Next();
    }
}

Offset EmbeddedLogReader::offset_of_key() const {
    Offset offset = 0;
    const std::string_view key = view_of(iterator_->key());
    for (const char byte : key.substr(key.size() - sizeof(Offset))) {
        offset = static_cast<Offset>((static_cast<std::uint64_t>(offset) << 8U) | static_cast<std::uint8_t>(byte));
    }
    return offset;
}

/// A table block that fails its checksum ends the iterator. The next readable key is searched for in steps that double,
/// then by halves: a few dozen seeks, whatever the size of the hole.
Result<Offset> EmbeddedLogReader::skip_unreadable(Offset from) {
    const auto status = iterator_->status();
    if (!status.IsCorruption()) {
        return tl::unexpected(rocks_result(status, "cannot read the message bus").error());
    }
    log_.report_damage(topic_, partition_, from, rocks_result(status, "a block of the store is damaged").error());
    // With a new iterator each time: one that has failed answers a second seek at random.
    const auto readable_at = [this](Offset offset) {
        const auto made = make_iterator();
        MUSTER_ASSERT(made);  // read() holds the database open
        iterator_->Seek(log_keys::record(partition_, offset));
        return iterator_->status().ok();
    };
    Offset bad = from;
    Offset step = 1;
    const Offset end = topic_.end(partition_);
    while (bad + step < end && !readable_at(bad + step)) {
        bad += step;
        step *= 2;
    }
    Offset good = std::min(bad + step, end);
    while (good - bad > 1) {
        const Offset middle = bad + (good - bad) / 2;
        (readable_at(middle) ? good : bad) = middle;
    }
    if (!readable_at(good)) {
        return tl::unexpected(rocks_result(iterator_->status(), "cannot read the message bus").error());
    }
    return good;
}

}  // namespace muster
