#include "gateway/address_gate.h"

#include <cstring>

namespace muster {
namespace {

constexpr Millis sweep_interval{1000};  // forgetting looks at every address: once a second

}  // namespace

std::size_t AddressGate::HashOfKey::operator()(Key key) const {
    // splitmix64
    std::uint64_t mixed = key ^ seed;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58'476D'1CE4'E5B9ULL;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D0'49BB'1331'11EBULL;
    return mixed ^ (mixed >> 31U);
}

AddressGate::AddressGate(const GatewayLimits& limits, std::uint64_t seed)
    : limits_(limits), entries_(0, HashOfKey{seed}) {}

bool AddressGate::is_limited(const net::Address& address) const {
    const bool has_limit = limits_.address_connects_per_s > 0 || limits_.address_strangers_max > 0;
    // This machine's own programs, and load balancers on it, speak for many.
    return has_limit && (limits_.limits_loopback || !address.is_loopback());
}

AddressGate::Key AddressGate::key_of(const net::Address& address) {
    if (address.family() == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, address.get(), sizeof(v4));
        return 0xFFFF'0000'0000ULL | v4.sin_addr.s_addr;
    }
    sockaddr_in6 v6{};
    std::memcpy(&v6, address.get(), sizeof(v6));
    Key key = 0;
    std::memcpy(&key, &v6.sin6_addr, sizeof(key));
    return key;
}

bool AddressGate::make_room(Millis now) {
    if (entries_.size() < limits_.addresses_max) {
        return true;
    }
    if (now < next_sweep_) {
        return false;
    }
    next_sweep_ = now + sweep_interval;
    erase_if(entries_, [&](const auto& item) {
        TokenBucket connections = item.second.connections;
        const bool is_rested = limits_.address_connects_per_s <= 0 || connections.is_full(now);
        return item.second.strangers == 0 && is_rested;
    });
    return entries_.size() < limits_.addresses_max;
}

AddressGate::Verdict AddressGate::enter(const net::Address& address, Millis now) {
    if (!is_limited(address)) {
        return Verdict::unlimited;
    }
    const std::lock_guard lock(mutex_);
    const Key key = key_of(address);
    auto found = entries_.find(key);
    if (found == entries_.end()) {
        if (!make_room(now)) {
            ++overlooked_;
            return Verdict::unlimited;
        }
        const double per_s = limits_.address_connects_per_s;
        found = entries_.emplace(key, Entry{TokenBucket(per_s, per_s * address_burst_s, now)}).first;
    }
    Entry& entry = found->second;
    if (limits_.address_strangers_max > 0 && entry.strangers >= limits_.address_strangers_max) {
        return Verdict::too_many;
    }
    if (!entry.connections.take(now)) {
        return Verdict::too_fast;
    }
    ++entry.strangers;
    return Verdict::admitted;
}

void AddressGate::leave(const net::Address& address) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key_of(address));
    if (found != entries_.end() && found->second.strangers > 0) {
        --found->second.strangers;
    }
}

std::size_t AddressGate::addresses() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

std::uint64_t AddressGate::overlooked() const {
    const std::lock_guard lock(mutex_);
    return overlooked_;
}

}  // namespace muster
