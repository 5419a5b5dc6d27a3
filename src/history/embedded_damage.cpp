#include "history/embedded_damage.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

/// Each costs the reading of a block: some milliseconds in all, for a damaged one.
constexpr int halvings_max = 400;
constexpr std::size_t digits_min = 40;

/// Where keys begin that can be read: at `key`, or the end of them all.
bool is_readable_from(rocksdb::Iterator& iterator, const std::string& key) {
    seek_anew(iterator, key);
    return iterator.Valid() || iterator.status().ok();
}

/// A key behind the damage, not the first: the least behind all that share ever shorter beginnings with `key`.
std::optional<std::string> find_readable(rocksdb::Iterator& iterator, std::string key) {
    while (!key.empty()) {
        const auto last = static_cast<std::uint8_t>(key.back());
        if (last == 0xff) {
            key.pop_back();
            continue;
        }
        key.back() = static_cast<char>(last + 1);
        if (is_readable_from(iterator, key)) {
            return key;
        }
        key.pop_back();
    }
    key.assign(1, '\xff');  // behind all device ids
    return is_readable_from(iterator, key) ? std::optional(key) : std::nullopt;
}

/// Keys as fractions to the base 256: half of `low` + `high`, to so many digits.
std::string middle_of(const std::string& low, const std::string& high, std::size_t digits) {
    std::string sum(digits, '\0');
    unsigned carry = 0;
    for (std::size_t i = digits; i-- > 0;) {
        const unsigned digit = (i < low.size() ? static_cast<std::uint8_t>(low[i]) : 0U) +
                               (i < high.size() ? static_cast<std::uint8_t>(high[i]) : 0U) + carry;
        sum[i] = static_cast<char>(digit & 0xffU);
        carry = digit >> 8U;
    }
    for (char& place : sum) {
        const unsigned digit = carry << 8U | static_cast<std::uint8_t>(place);
        place = static_cast<char>(digit >> 1U);
        carry = digit & 1U;
    }
    return sum;
}

}  // namespace

void seek_anew(rocksdb::Iterator& iterator, const std::string& key) {
    iterator.SeekToFirst();
    if (!iterator.status().ok()) {
        iterator.SeekToLast();
    }
    iterator.Seek(key);
}

bool seek_past_damage(rocksdb::Iterator& iterator, const std::string& key) {
    auto readable = find_readable(iterator, key);
    if (!readable) {
        return false;
    }
    std::string damaged = key;
    const std::size_t digits = std::max({digits_min, key.size() + 1, readable->size() + 1});
    for (int i = 0; i < halvings_max; ++i) {
        std::string middle = middle_of(damaged, *readable, digits);
        if (middle <= damaged || middle >= *readable) {
            break;
        }
        (is_readable_from(iterator, middle) ? *readable : damaged) = std::move(middle);
    }
    seek_anew(iterator, *readable);
    return iterator.Valid();
}

}  // namespace muster
