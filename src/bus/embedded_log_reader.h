#pragma once

#include <memory>

#include "base/result.h"
#include "bus/record_batch.h"

namespace rocksdb {
class Iterator;
class Slice;
}  // namespace rocksdb

namespace muster {

class EmbeddedLog;
class EmbeddedTopic;

/// Reads one partition from the store, in order, with one iterator that is kept from batch to batch. Owned by a
/// consumer while it is behind the tail: the iterator keeps the files that it reads from being deleted.
class EmbeddedLogReader final {
 public:
    EmbeddedLogReader(EmbeddedLog& log, const EmbeddedTopic& topic, Partition partition);
    ~EmbeddedLogReader();
    EmbeddedLogReader(const EmbeddedLogReader&) = delete;
    EmbeddedLogReader& operator=(const EmbeddedLogReader&) = delete;

    /// The first readable batch that ends after `offset`, null when the store has none. Damaged ones are counted,
    /// logged and skipped. io: the store cannot be read now.
    [[nodiscard]] Result<std::shared_ptr<const RecordBatch>> read(Offset offset);
    /// Called by the log, alone, before it closes the database. The next read() makes a new iterator.
    void drop_iterator();

 private:
    [[nodiscard]] Result<void> make_iterator();
    void seek(Offset offset);
    [[nodiscard]] Result<std::shared_ptr<const RecordBatch>> read_from_iterator(Offset offset);
    /// Moves on to the first readable place after `from` and returns it.
    [[nodiscard]] Result<Offset> skip_unreadable(Offset from);
    [[nodiscard]] Offset offset_of_key() const;

    EmbeddedLog& log_;
    const EmbeddedTopic& topic_;
    const Partition partition_;
    const std::string first_key_;  ///< bounds of the partition, which the iterator's options point into
    const std::string end_key_;
    std::unique_ptr<rocksdb::Slice> lower_;
    std::unique_ptr<rocksdb::Slice> upper_;
    std::unique_ptr<rocksdb::Iterator> iterator_;
    Offset next_ = -1;  ///< the offset that the iterator stands behind; -1 = nowhere
};

}  // namespace muster
