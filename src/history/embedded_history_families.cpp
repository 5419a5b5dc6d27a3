#include "history/embedded_history_families.h"

#include <array>
#include <charconv>

#include "base/assert.h"

namespace muster {
namespace {

constexpr std::array<std::string_view, 3> prefixes{"samples:", "minutes:", "hours:"};
/// Chunks are read in ranges of one device; what a query of an hour reads beside it should be little.
constexpr std::size_t chunk_block_bytes = 16U << 10U;

std::string_view prefix_of(EmbeddedHistoryFamilies::Kind kind) {
    return prefixes[static_cast<std::size_t>(kind)];
}

}  // namespace

rocksdb::ColumnFamilyOptions EmbeddedHistoryFamilies::options_of(std::string_view name) {
    auto options = rocks_family_options();
    if (name.starts_with(prefix_of(Kind::samples)) || name.starts_with(prefix_of(Kind::minutes)) ||
        name.starts_with(prefix_of(Kind::hours))) {
        // Chunks are compressed, and not compressed again a flipped bit costs one chunk and not a block of them.
        options.compression = rocksdb::kNoCompression;
        options.table_factory = rocks_table(chunk_block_bytes, true);
    }
    return options;
}

EmbeddedHistoryFamilies::Day EmbeddedHistoryFamilies::first_day(Kind kind, Day day) {
    if (kind != Kind::hours) {
        return day;
    }
    const std::chrono::year_month_day date(day);
    return date.year() / date.month() / 1;
}

std::string EmbeddedHistoryFamilies::name_of(Kind kind, Day first) {
    return std::string(prefix_of(kind)) + std::to_string(first.time_since_epoch().count());
}

void EmbeddedHistoryFamilies::forget() {
    *this = {};
}

void EmbeddedHistoryFamilies::find(RocksDatabase& database) {
    forget();
    tail_ = database.family(std::string(tail_name));
    state_ = database.family(std::string(state_name));
    for (const std::string& name : database.family_names()) {
        for (const Kind kind : {Kind::samples, Kind::minutes, Kind::hours}) {
            const std::string_view prefix = prefix_of(kind);
            int day = 0;
            if (name.starts_with(prefix) &&
                std::from_chars(name.data() + prefix.size(), name.data() + name.size(), day).ec == std::errc{}) {
                map_of(kind)[Day{std::chrono::days(day)}] = database.family(name);
            }
        }
    }
}

rocksdb::ColumnFamilyHandle* EmbeddedHistoryFamilies::get(Kind kind, Day day) const {
    const Map& families = of(kind);
    const auto found = families.find(first_day(kind, day));
    return found == families.end() ? nullptr : found->second;
}

Result<rocksdb::ColumnFamilyHandle*> EmbeddedHistoryFamilies::get_or_create(RocksDatabase& database, Kind kind,
                                                                            Day day) {
    if (auto* found = get(kind, day)) {
        return found;
    }
    const Day first = first_day(kind, day);
    auto created = database.create_family(name_of(kind, first));
    if (created) {
        map_of(kind)[first] = *created;
    }
    return created;
}

std::optional<EmbeddedHistoryFamilies::Day> EmbeddedHistoryFamilies::oldest(Kind kind) const {
    return of(kind).empty() ? std::nullopt : std::optional(of(kind).begin()->first);
}

std::optional<EmbeddedHistoryFamilies::Day> EmbeddedHistoryFamilies::newest(Kind kind) const {
    return of(kind).empty() ? std::nullopt : std::optional(of(kind).rbegin()->first);
}

std::optional<EmbeddedHistoryFamilies::Day> EmbeddedHistoryFamilies::end_of_oldest(Kind kind) const {
    const auto first = oldest(kind);
    if (!first || kind != Kind::hours) {
        return first ? std::optional(*first + std::chrono::days(1)) : std::nullopt;
    }
    const std::chrono::year_month_day date(*first);
    return Day((date.year() / date.month() + std::chrono::months(1)) / 1);
}

Result<void> EmbeddedHistoryFamilies::drop_oldest(RocksDatabase& database, Kind kind) {
    Map& families = map_of(kind);
    MUSTER_ASSERT(!families.empty());
    const std::string name = name_of(kind, families.begin()->first);
    families.erase(families.begin());
    return database.drop_family(name);
}

}  // namespace muster
