#include "gateway/shared_group.h"

#include <algorithm>
#include <utility>

#include "base/murmur2.h"

namespace muster {
namespace {

/// splitmix64's: every bit of the input changes half of the output's.
std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 30U)) * 0xBF58'476D'1CE4'E5B9ULL;
    value = (value ^ (value >> 27U)) * 0x94D0'49BB'1331'11EBULL;
    return value ^ (value >> 31U);
}

using Score = std::pair<std::uint64_t, std::string_view>;

Score score_of(std::string_view gateway, std::uint64_t message) {
    return {mix(message ^ murmur2(gateway)), gateway};
}

}  // namespace

void SharedGroup::swap(std::size_t a, std::size_t b) {
    std::swap(members_[a], members_[b]);
    places_[members_[a].handle] = a;
    places_[members_[b].handle] = b;
}

bool SharedGroup::set_connected(std::size_t place, bool is_connected) {
    const bool was_connected = place < connected_;
    if (is_connected && !was_connected) {
        swap(place, connected_++);
    } else if (!is_connected && was_connected) {
        swap(place, --connected_);
    }
    return is_connected != was_connected;
}

bool SharedGroup::join(const mqtt::Subscriber& subscriber, bool is_connected) {
    const auto [place, is_new] = places_.try_emplace(subscriber.handle, members_.size());
    if (is_new) {
        members_.push_back(subscriber);
    } else {
        members_[place->second] = subscriber;
    }
    set_connected(place->second, is_connected);
    return is_new;
}

bool SharedGroup::leave(std::uint64_t handle) {
    const auto place = places_.find(handle);
    if (place == places_.end()) {
        return false;
    }
    set_connected(place->second, false);
    swap(place->second, members_.size() - 1);
    members_.pop_back();
    places_.erase(handle);
    return true;
}

bool SharedGroup::note_connected(std::uint64_t handle, bool is_connected) {
    const auto place = places_.find(handle);
    return place != places_.end() && set_connected(place->second, is_connected);
}

mqtt::Subscriber SharedGroup::next() const {
    const std::size_t candidates = connected_ > 0 ? connected_ : members_.size();
    return members_[turn_.fetch_add(1, std::memory_order_relaxed) % candidates];
}

std::optional<mqtt::Subscriber> SharedGroup::other(std::uint64_t than, bool must_be_connected) const {
    const auto place = places_.find(than);
    const bool is_connected = place != places_.end() && place->second < connected_;
    const std::size_t others_connected = connected_ - (is_connected ? 1 : 0);
    const std::size_t range = others_connected > 0 ? connected_ : must_be_connected ? 0 : members_.size();
    const std::size_t turn = turn_.fetch_add(1, std::memory_order_relaxed);
    for (std::size_t i = 0; i < range && i < 2; ++i) {  // the second one is another
        if (const mqtt::Subscriber& member = members_[(turn + i) % range]; member.handle != than) {
            return member;
        }
    }
    return std::nullopt;
}

void SharedGroup::set_elsewhere(const Elsewhere& elsewhere) {
    const auto at = std::lower_bound(elsewhere_.begin(), elsewhere_.end(), elsewhere.gateway,
                                     [](const Elsewhere& a, std::string_view gateway) { return a.gateway < gateway; });
    const bool was_there = at != elsewhere_.end() && at->gateway == elsewhere.gateway;
    if (was_there && elsewhere.members == 0) {
        elsewhere_.erase(at);
    } else if (was_there) {
        *at = elsewhere;
    } else if (elsewhere.members > 0) {
        elsewhere_.insert(at, elsewhere);
    }
}

std::optional<SharedGroup::Turn> SharedGroup::choose() const {
    std::uint64_t connected = connected_;
    std::uint64_t members = members_.size();
    for (const Elsewhere& other : elsewhere_) {
        connected += other.is_confirmed ? other.connected : 0;
        members += other.is_confirmed ? other.members : 0;
    }
    const bool is_connected = connected > 0;
    const std::uint64_t all = is_connected ? connected : members;
    if (all == 0) {
        return std::nullopt;
    }
    std::uint64_t turn = fleet_turn_.fetch_add(1, std::memory_order_relaxed) % all;
    for (const Elsewhere& other : elsewhere_) {
        const std::uint32_t share = !other.is_confirmed ? 0 : is_connected ? other.connected : other.members;
        if (turn < share) {
            return Turn{.is_here = false, .gateway = other.gateway};
        }
        turn -= share;
    }
    return Turn{.is_here = true, .gateway = {}};
}

bool SharedGroup::is_agreed_here(std::string_view own_name, std::string_view writer, std::uint64_t message) const {
    const bool is_connected =
        connected_ > 0 || std::any_of(elsewhere_.begin(), elsewhere_.end(), [&](const Elsewhere& other) {
            return other.connected > 0 && other.gateway != writer;
        });
    if (members_.empty() || (is_connected && connected_ == 0)) {
        return false;
    }
    const Score own = score_of(own_name, message);
    return std::none_of(elsewhere_.begin(), elsewhere_.end(), [&](const Elsewhere& other) {
        return other.gateway != writer && (other.connected > 0 || !is_connected) &&
               score_of(other.gateway, message) > own;
    });
}

}  // namespace muster
