#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/embedded_history_families.h"
#include "history/rollup_chunk.h"
#include "history/sample_table.h"

namespace muster {

/// Reads stored chunks of many devices with one iterator a family. Made for one query, by one thread, which keeps the
/// families locked. What it leaves out because it is damaged it counts.
class EmbeddedChunkReader final {
 public:
    using Day = std::chrono::sys_days;

    /// `seals`: of the store, see refresh().
    EmbeddedChunkReader(RocksDatabase& database, const EmbeddedHistoryFamilies& families, std::uint64_t seals);

    /// Sees what has been stored by now, when seals differ from those of the last time.
    [[nodiscard]] Result<void> refresh(std::uint64_t seals);
    /// Adds the chunks of a device's hours `first` to `last` of a day. too_large: over what one query may read.
    [[nodiscard]] Result<void> read_samples(std::string_view device, Day day, unsigned first, unsigned last,
                                            SampleTable& table);
    /// Empty: there are none.
    [[nodiscard]] Result<std::vector<MetricRollups>> read_rollups(EmbeddedHistoryFamilies::Kind kind,
                                                                  std::string_view device, Day day,
                                                                  std::span<const std::string> wanted);
    /// The first device after `after` that has something of this kind and day.
    [[nodiscard]] std::optional<std::string> next_device(EmbeddedHistoryFamilies::Kind kind, Day day,
                                                         std::string_view after);

    [[nodiscard]] std::uint64_t damaged() const { return damaged_; }

 private:
    struct Place {
        std::unique_ptr<rocksdb::Iterator> iterator;
        std::string device;  ///< that next_device() found
        bool at_end = false;
    };
    [[nodiscard]] Place* place(EmbeddedHistoryFamilies::Kind kind, Day day);
    [[nodiscard]] bool is_damaged(rocksdb::Iterator& iterator, std::string& key);

    RocksDatabase& database_;
    const EmbeddedHistoryFamilies& families_;
    std::uint64_t seals_;
    std::uint64_t damaged_ = 0;
    std::map<std::pair<EmbeddedHistoryFamilies::Kind, Day>, Place> places_;
};

/// Options for reading chunks, whose own checksums say more than those of the blocks around them.
[[nodiscard]] rocksdb::ReadOptions chunk_read_options();

}  // namespace muster
