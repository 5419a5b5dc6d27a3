#include "history/open_lane.h"

#include <algorithm>

namespace muster {
namespace {

/// A tail is written anew once it has this many times the bytes that it began with, and at least these.
constexpr std::uint64_t tail_growth_max = 3;
constexpr std::uint64_t tail_bytes_min = 64U << 10U;
/// Of a device's number: what a damaged segment can make a reader allocate.
constexpr std::uint32_t numbers_max = 1U << 24U;

}  // namespace

OpenDevice& OpenLane::find_or_add(std::uint32_t hash, std::string_view device) {
    OpenDevice* const found = find(hash, device);
    return found == nullptr ? devices_.add(hash, device) : *found;
}

// The stored tail -----------------------------------------------------------------------------------------------------

void OpenLane::write_new(OpenDevice& device, bool anew, TailSegmentWriter& segment) {
    if (anew ? device.hours.empty() : device.number == 0 && device.hours.empty()) {
        return;
    }
    if (anew || device.number == 0) {
        device.number = next_number_++;
        segment.device(device.number, device.id);
    }
    for (const HourNumber hour : device.sealed) {
        if (!anew) {
            segment.sealed(device.number, hour);
        }
    }
    for (const OpenDevice::Hour& hour : device.hours) {
        const std::size_t before = anew ? 0 : hour.saved_bytes;
        if (before < hour.rows.bytes().size()) {
            segment.rows(device.number, hour.hour, before, hour.rows.bytes().substr(before));
        }
    }
}

TailSegmentWriter OpenLane::unsaved(bool anew) {
    TailSegmentWriter segment(anew);
    if (anew) {
        next_number_ = 1;
        devices_.for_each([&](OpenDevice& device) { write_new(device, anew, segment); });
    } else {
        for (OpenDevice* device : changed_) {
            write_new(*device, anew, segment);
        }
    }
    return segment;
}

void OpenLane::remove(const OpenDevice& device) {
    const std::string id = device.id;  // which goes with it
    devices_.remove(hash_of(id), id);
}

void OpenLane::saved(std::size_t bytes, bool anew) {
    for (OpenDevice* device : changed_) {
        device->changed = false;
        device->sealed.clear();
        for (OpenDevice::Hour& hour : device->hours) {
            hour.saved_bytes = static_cast<std::uint32_t>(hour.rows.bytes().size());
        }
        if (device->hours.empty()) {
            remove(*device);
        }
    }
    changed_.clear();
    tail_bytes_ = anew ? bytes : tail_bytes_ + bytes;
    anew_bytes_ = anew ? bytes : anew_bytes_;
    trusted_ = trusted_ || anew;
}

bool OpenLane::wants_anew() const {
    return !trusted_ || tail_bytes_ > std::max(tail_bytes_min, tail_growth_max * anew_bytes_);
}

void OpenLane::forget_all() {
    devices_.clear();
    changed_.clear();
    by_number_.clear();
    next_number_ = 1;
    tail_bytes_ = 0;
}

bool OpenLane::restore_rows(const TailEntry& entry) {
    OpenDevice& device = *by_number_[entry.number];
    OpenDevice::Hour* hour = device.find(entry.hour);
    if (hour == nullptr) {
        if (entry.before != 0) {
            return false;
        }
        hour = &device.hours.emplace_back();
        hour->hour = entry.hour;
    }
    if (entry.before != hour->rows.bytes().size()) {
        return false;
    }
    hour->rows.restore(entry.rows);
    return true;
}

bool OpenLane::restore(std::string_view segment) {
    bool whole = true;
    const auto begin = [this](bool anew) {
        if (anew) {
            forget_all();
        }
    };
    const auto take = [&](const TailEntry& entry) {
        if (entry.what == TailEntry::What::device) {
            if (entry.number == 0 || entry.number >= numbers_max) {
                whole = false;
                return;
            }
            by_number_.resize(std::max<std::size_t>(by_number_.size(), entry.number + 1));
            by_number_[entry.number] = &find_or_add(hash_of(entry.id), entry.id);
            by_number_[entry.number]->number = entry.number;
            next_number_ = std::max(next_number_, entry.number + 1);
        } else if (entry.number >= by_number_.size() || by_number_[entry.number] == nullptr) {
            whole = false;
        } else if (entry.what == TailEntry::What::sealed) {
            std::erase_if(by_number_[entry.number]->hours,
                          [&](const OpenDevice::Hour& hour) { return hour.hour == entry.hour; });
        } else {
            whole = restore_rows(entry) && whole;
        }
    };
    const auto read = read_tail_segment(segment, begin, take);
    tail_bytes_ += segment.size();
    trusted_ = trusted_ && read && whole;
    return read && whole;
}

std::size_t OpenLane::end_restore() {
    std::size_t unreadable = 0;
    std::vector<OpenDevice*> empty;
    devices_.for_each([&](OpenDevice& device) {
        const std::size_t before = device.hours.size();
        std::erase_if(device.hours, [](OpenDevice::Hour& hour) {
            if (!hour.rows.resume()) {
                return true;
            }
            hour.saved_bytes = static_cast<std::uint32_t>(hour.rows.bytes().size());
            return false;
        });
        unreadable += before - device.hours.size();
        if (device.hours.empty()) {
            empty.push_back(&device);
        }
    });
    for (OpenDevice* device : empty) {
        remove(*device);
    }
    by_number_ = {};
    trusted_ = trusted_ && unreadable == 0;
    return unreadable;
}

}  // namespace muster
