#pragma once

#include <string>

#include <rocksdb/db.h>

namespace muster {

/// As Seek(), for an iterator that has met damage: RocksDB 7.8 keeps the status over Seek() and SeekForPrev(). The
/// iterator has no bounds, with which SeekToFirst() and SeekToLast() keep it too.
void seek_anew(rocksdb::Iterator& iterator, const std::string& key);

/// Moves an iterator without bounds that stopped at damage behind `key`, which it has given last (empty: none), to the
/// first key behind the damage. One block is passed over, however little of its keys is known. False: nothing is left
/// that can be read.
[[nodiscard]] bool seek_past_damage(rocksdb::Iterator& iterator, const std::string& key);

}  // namespace muster
