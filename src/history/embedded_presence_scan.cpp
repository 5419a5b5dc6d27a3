#include "history/embedded_presence_scan.h"

#include "history/embedded_damage.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

/// A seek costs about as much as so many steps.
constexpr int steps_before_seek = 16;
constexpr std::string_view first_entry("\1", 1);  ///< baseline keys begin with 0x00

constexpr std::string_view cannot_read = "cannot read the presence history";

rocksdb::ReadOptions scan_options(const rocksdb::Snapshot* snapshot) {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot;
    options.fill_cache = false;  // a scan of the fleet would push out what devices' pages use
    options.readahead_size = 1U << 20U;
    return options;
}

std::string baseline_key(std::string_view device) {
    std::string key(1, '\0');
    key.append(device);
    return key;
}

}  // namespace

// A day's baseline ----------------------------------------------------------------------------------------------------

PresenceBaselineCursor::PresenceBaselineCursor(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family,
                                               const rocksdb::Snapshot* snapshot, std::string_view after)
    : after_(after), iterator_(db.NewIterator(scan_options(snapshot), family)) {}

Result<void> PresenceBaselineCursor::start() {
    // The chunk that has the device, if one does, begins at it or before it.
    iterator_->SeekForPrev(baseline_key(after_));
    if (!is_chunk()) {
        key_ = baseline_key(after_.empty() ? std::string_view("\1", 1) : std::string_view(after_));
        seek_anew(*iterator_, key_);  // past the baseline's mark
    }
    if (auto read = read_chunk(); !read) {
        return read;
    }
    while (!device().empty() && !after_.empty() && device() <= after_) {
        if (auto stepped = next(); !stepped) {
            return stepped;
        }
    }
    return {};
}

bool PresenceBaselineCursor::is_chunk() const {
    return iterator_->Valid() && iterator_->key().size() > 1 && iterator_->key()[0] == '\0';
}

/// The one at which the iterator stands, or the first behind it that can be read.
Result<void> PresenceBaselineCursor::read_chunk() {
    index_ = 0;
    while (true) {
        if (!iterator_->Valid() && iterator_->status().IsCorruption()) {
            ++damaged_;
            if (!seek_past_damage(*iterator_, key_)) {
                chunk_ = {};
                return {};
            }
        }
        if (!is_chunk()) {
            chunk_ = {};
            return rocks_result(iterator_->status(), cannot_read);
        }
        if (chunk_.decode(view_of(iterator_->value())) && chunk_.size() > 0) {
            key_ = view_of(iterator_->key());
            return {};
        }
        ++damaged_;
        key_ = view_of(iterator_->key());
        iterator_->Next();
    }
}

std::string_view PresenceBaselineCursor::device() const {
    return index_ < chunk_.size() ? chunk_.id(index_) : std::string_view{};
}

Result<void> PresenceBaselineCursor::next() {
    if (++index_ < chunk_.size()) {
        return {};
    }
    iterator_->Next();
    return read_chunk();
}

// A day's entries -----------------------------------------------------------------------------------------------------

PresenceDayCursor::PresenceDayCursor(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family,
                                     const rocksdb::Snapshot* snapshot, Timestamp at, std::string_view after)
    : at_(at),
      begin_(after.empty() ? std::string(first_entry) : presence_end(after)),
      iterator_(db.NewIterator(scan_options(snapshot), family)) {
    iterator_->Seek(begin_);
}

bool PresenceDayCursor::is_of_device() const {
    if (!iterator_->Valid()) {
        return false;
    }
    const std::string_view key = view_of(iterator_->key());
    return key.size() > device_.size() && key[device_.size()] == '\0' && key.starts_with(device_);
}

/// At an entry, which may be the first behind damage. False: at the end, or the iterator's status tells.
bool PresenceDayCursor::stands() {
    if (iterator_->Valid()) {
        return true;
    }
    if (!iterator_->status().IsCorruption()) {
        return false;
    }
    ++damaged_;
    return seek_past_damage(*iterator_, device_.empty() ? begin_ : presence_key(device_, passed_, INT64_MAX));
}

PresenceDayCursor::Entry PresenceDayCursor::read_entry() {
    const auto time = time_of_presence_key(view_of(iterator_->key()), device_.size());
    if (!time) {
        return Entry::damaged;
    }
    passed_ = *time;
    if (*time > at_) {
        return Entry::later;
    }
    const std::string_view row = view_of(iterator_->value());
    PastPresence read;
    if (!decode_presence_brief(row, *time, read)) {
        return Entry::damaged;
    }
    row_ = row;
    presence_ = read;
    presence_.region = std::string_view(row_).substr(row_.size() - read.region.size());  // it ends the row
    return Entry::kept;
}

void PresenceDayCursor::seek_past_device() {
    for (int step = 0; is_of_device(); ++step) {
        if (step == steps_before_seek) {
            iterator_->Seek(presence_end(device_));
            return;
        }
        iterator_->Next();
    }
}

/// Takes the last entry in time of the device at which the iterator stands, and leaves the iterator at the next device.
/// False: the device has none in time.
bool PresenceDayCursor::read_device() {
    bool found = false;
    for (int step = 0; stands() && is_of_device(); ++step) {
        if (step == steps_before_seek) {
            iterator_->SeekForPrev(presence_key(device_, at_, INT64_MAX));
            if (!is_of_device()) {
                ++damaged_;  // the entry lies in a block that cannot be read: the one before it counts
                seek_anew(*iterator_, presence_end(device_));
                break;
            }
        }
        const Entry entry = read_entry();
        damaged_ += entry == Entry::damaged ? 1U : 0U;
        found = found || entry == Entry::kept;
        if (entry == Entry::later || step == steps_before_seek) {
            break;
        }
        iterator_->Next();
    }
    seek_past_device();
    return found;
}

Result<void> PresenceDayCursor::next() {
    while (stands()) {
        device_ = device_of_presence_key(view_of(iterator_->key()));
        passed_ = {};
        if (!is_of_device()) {
            ++damaged_;  // no key of an entry
            iterator_->Next();
        } else if (read_device()) {
            presence_.device = device_;
            return {};
        }
    }
    device_.clear();
    return iterator_->status().IsCorruption() ? Result<void>() : rocks_result(iterator_->status(), cannot_read);
}

// Both ----------------------------------------------------------------------------------------------------------------

PresenceScan::PresenceScan(const Sources& sources, Timestamp at, std::string_view after) : snapshot_(sources.snapshot) {
    if (sources.baseline != nullptr) {
        baseline_ =
            std::make_unique<PresenceBaselineCursor>(sources.db, sources.baseline, sources.snapshot.get(), after);
    }
    days_.reserve(sources.days.size());
    for (rocksdb::ColumnFamilyHandle* day : sources.days) {
        days_.emplace_back(sources.db, day, sources.snapshot.get(), at, after);
    }
}

Result<void> PresenceScan::start() {
    started_ = true;
    if (baseline_ != nullptr) {
        if (auto begun = baseline_->start(); !begun) {
            return begun;
        }
    }
    for (PresenceDayCursor& day : days_) {
        if (auto begun = day.next(); !begun) {
            return begun;
        }
    }
    return {};
}

/// Moves on every source that stands at the device given last.
Result<void> PresenceScan::step() {
    if (baseline_ != nullptr && baseline_->device() == current_) {
        if (auto stepped = baseline_->next(); !stepped) {
            return stepped;
        }
    }
    for (PresenceDayCursor& day : days_) {
        if (day.device() == current_) {
            if (auto stepped = day.next(); !stepped) {
                return stepped;
            }
        }
    }
    return {};
}

std::uint64_t PresenceScan::damaged() const {
    std::uint64_t sum = baseline_ == nullptr ? 0 : baseline_->damaged();
    for (const PresenceDayCursor& day : days_) {
        sum += day.damaged();
    }
    return sum;
}

Result<bool> PresenceScan::next(PastPresence& into) {
    const auto moved = started_ ? (current_.empty() ? Result<void>() : step()) : start();
    if (!moved) {
        return tl::unexpected(moved.error());
    }
    std::string_view least = baseline_ == nullptr ? std::string_view{} : baseline_->device();
    for (const PresenceDayCursor& day : days_) {
        if (!day.device().empty() && (least.empty() || day.device() < least)) {
            least = day.device();
        }
    }
    current_ = least;
    if (current_.empty()) {
        return false;
    }
    if (baseline_ != nullptr && baseline_->device() == current_) {
        into = baseline_->presence();
    }
    for (const PresenceDayCursor& day : days_) {  // the later day counts
        if (day.device() == current_) {
            into = day.presence();
        }
    }
    into.device = current_;
    return true;
}

}  // namespace muster
