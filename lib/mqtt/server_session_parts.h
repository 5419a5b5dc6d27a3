#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "mqtt/message_queue.h"
#include "mqtt/server_session.h"

namespace muster::mqtt {

// What a ServerSession allocates when it needs it; for its own sources.

/// Messages in flight, then those waiting: the first `sent` of the queue have been sent on this connection. Exists
/// while there is any.
struct ServerSession::Outgoing {
    MessageQueue queue;
    std::size_t sent = 0;
    std::size_t waiting_bytes = 0;    ///< of what was never sent
    std::size_t in_flight_bytes = 0;  ///< of the first `sent`
    std::vector<std::uint64_t> dropped_numbers;
};

// One after the other: u32 subscription identifier | u8 options | u16 filter bytes | filter
/// A session's subscriptions, packed into one allocation.
struct ServerSession::Subscriptions {
    std::string packed;
    std::size_t count = 0;

    struct Place {
        std::size_t begin = 0;
        std::size_t end = 0;
        Subscription subscription;
    };
    /// Calls `visit` with each until it returns false.
    template <class Visit>
    void walk(Visit&& visit) const {
        ByteReader reader(packed);
        Place place;
        while (!reader.at_end()) {
            place.begin = packed.size() - reader.remaining();
            place.subscription.subscription_identifier = reader.number<std::uint32_t>();
            place.subscription.options.bits = reader.number<std::uint8_t>();
            place.subscription.filter = reader.raw(reader.number<std::uint16_t>());
            place.end = packed.size() - reader.remaining();
            if (!visit(place)) {
                return;
            }
        }
    }
    /// An empty place (end 0) when there is none.
    [[nodiscard]] Place find(std::string_view filter) const {
        Place found;
        walk([&](const Place& place) {
            const bool is_it = place.subscription.filter == filter;
            if (is_it) {
                found = place;
            }
            return !is_it;
        });
        return found;
    }
    [[nodiscard]] bool erase(std::string_view filter) {
        const Place place = find(filter);
        if (place.end == 0) {
            return false;
        }
        packed.erase(place.begin, place.end - place.begin);
        --count;
        return true;
    }
    void add(const Subscription& subscription) {
        packed.reserve(packed.size() + 7 + subscription.filter.size());
        ByteWriter writer(packed);
        writer.number(subscription.subscription_identifier);
        writer.number(subscription.options.bits);
        writer.number(static_cast<std::uint16_t>(subscription.filter.size()));
        writer.raw(subscription.filter);
        ++count;
    }
};

/// QoS 2 packet ids of the client between PUBLISH and PUBREL, in ascending order.
struct ServerSession::IncomingIds {
    struct Id {
        std::uint16_t packet_id = 0;
        bool safe = false;  ///< PUBREC has been or may be sent
    };
    std::vector<Id> ids;

    [[nodiscard]] std::vector<Id>::iterator place_of(std::uint16_t packet_id) {
        return std::lower_bound(ids.begin(), ids.end(), packet_id,
                                [](const Id& id, std::uint16_t wanted) { return id.packet_id < wanted; });
    }
    [[nodiscard]] Id* find(std::uint16_t packet_id) {
        const auto place = place_of(packet_id);
        return place != ids.end() && place->packet_id == packet_id ? &*place : nullptr;
    }
};

/// Topics for which this connection's client knows an alias: index + 1. At most `max`.
struct ServerSession::Aliases {
    std::vector<std::string> topics;
    std::size_t max = 0;
};

}  // namespace muster::mqtt
