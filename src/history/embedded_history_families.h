#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/embedded_rocksdb.h"

namespace muster {

/// The column families of the embedded history store: one a day of samples, one a day of minute rollups, one a month of
/// hour rollups, so that what is over its time is dropped at once, in milliseconds. The owner locks: shared while a
/// handle is in use, exclusive for what is not const.
class EmbeddedHistoryFamilies final {
 public:
    using Day = std::chrono::sys_days;
    enum class Kind : std::uint8_t { samples, minutes, hours };

    static constexpr std::string_view tail_name = "tail";
    static constexpr std::string_view state_name = "state";

    /// Options of a family by its name.
    [[nodiscard]] static rocksdb::ColumnFamilyOptions options_of(std::string_view name);

    /// Learns what there is, after the database was opened.
    void find(RocksDatabase& database);
    void forget();

    /// Null: nothing of that day is there.
    [[nodiscard]] rocksdb::ColumnFamilyHandle* get(Kind kind, Day day) const;
    [[nodiscard]] Result<rocksdb::ColumnFamilyHandle*> get_or_create(RocksDatabase& database, Kind kind, Day day);
    /// The first day of the oldest family of a kind.
    [[nodiscard]] std::optional<Day> oldest(Kind kind) const;
    /// Any part of it may be within a family that has later days too: months.
    [[nodiscard]] std::optional<Day> newest(Kind kind) const;
    [[nodiscard]] Result<void> drop_oldest(RocksDatabase& database, Kind kind);
    /// The day after the last one of the oldest family.
    [[nodiscard]] std::optional<Day> end_of_oldest(Kind kind) const;
    [[nodiscard]] const std::map<Day, rocksdb::ColumnFamilyHandle*>& of(Kind kind) const {
        return maps_[static_cast<std::size_t>(kind)];
    }

    [[nodiscard]] rocksdb::ColumnFamilyHandle* tail() const { return tail_; }
    [[nodiscard]] rocksdb::ColumnFamilyHandle* state() const { return state_; }

 private:
    using Map = std::map<Day, rocksdb::ColumnFamilyHandle*>;

    [[nodiscard]] Map& map_of(Kind kind) { return maps_[static_cast<std::size_t>(kind)]; }
    [[nodiscard]] static Day first_day(Kind kind, Day day);
    [[nodiscard]] static std::string name_of(Kind kind, Day first);

    std::array<Map, 3> maps_;  ///< by Kind
    rocksdb::ColumnFamilyHandle* tail_ = nullptr;
    rocksdb::ColumnFamilyHandle* state_ = nullptr;
};

}  // namespace muster
