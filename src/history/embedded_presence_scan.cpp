#include "history/embedded_presence_scan.h"

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
    const auto is_chunk = [this] { return iterator_->Valid() && iterator_->key().size() > 1; };
    if (!is_chunk()) {
        iterator_->Seek(baseline_key(std::string_view("\1", 1)));  // past the baseline's mark
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

Result<void> PresenceBaselineCursor::read_chunk() {
    index_ = 0;
    const bool is_chunk = iterator_->Valid() && iterator_->key().size() > 1 && iterator_->key()[0] == '\0';
    if (!is_chunk) {
        chunk_ = {};
        return rocks_result(iterator_->status(), cannot_read);
    }
    return chunk_.decode(view_of(iterator_->value()));
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
    : at_(at), iterator_(db.NewIterator(scan_options(snapshot), family)) {
    iterator_->Seek(after.empty() ? rocksdb::Slice(first_entry.data(), first_entry.size())
                                  : rocksdb::Slice(presence_end(after)));
}

bool PresenceDayCursor::is_of_device() const {
    if (!iterator_->Valid()) {
        return false;
    }
    const std::string_view key = view_of(iterator_->key());
    return key.size() > device_.size() && key[device_.size()] == '\0' && key.starts_with(device_);
}

Result<bool> PresenceDayCursor::keep_if_in_time() {
    const auto time = time_of_presence_key(view_of(iterator_->key()), device_.size());
    if (!time) {
        return fail(ErrorCode::corrupt, "presence history has a damaged key", device_);
    }
    if (*time > at_) {
        return false;
    }
    row_ = view_of(iterator_->value());
    if (!decode_presence_brief(row_, *time, presence_)) {
        return fail(ErrorCode::corrupt, "presence history has a damaged entry", device_);
    }
    return true;
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
Result<void> PresenceDayCursor::read_device(bool& found) {
    found = false;
    for (int step = 0; is_of_device(); ++step) {
        if (step == steps_before_seek) {
            iterator_->SeekForPrev(presence_key(device_, at_, INT64_MAX));
        }
        const auto kept = keep_if_in_time();
        if (!kept) {
            return tl::unexpected(kept.error());
        }
        found = found || *kept;
        if (!*kept || step == steps_before_seek) {
            break;
        }
        iterator_->Next();
    }
    seek_past_device();
    return {};
}

Result<void> PresenceDayCursor::next() {
    bool found = false;
    while (!found && iterator_->Valid()) {
        device_ = device_of_presence_key(view_of(iterator_->key()));
        if (device_.empty()) {
            return fail(ErrorCode::corrupt, "presence history has a damaged key");
        }
        if (auto read = read_device(found); !read) {
            return read;
        }
    }
    presence_.device = device_;
    if (!found) {
        device_.clear();
    }
    return rocks_result(iterator_->status(), cannot_read);
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
