#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.h"
#include "mqtt/message.h"
#include "mqtt/retained_tree.h"

namespace muster {

/// The retained messages of the whole fleet of gateways, as muster.retained says; shared by the gateway's threads.
///
/// A publish of this gateway is seen here at once, and comes back later in the order of the bus. Until its last one for
/// a topic is back, what others wrote to that topic lies before it in that order and is passed over; so all gateways
/// end with the same message. An own record that is not back after own_record_timeout was lost on the way and is
/// forgotten. A message that has expired is not found, and leaves with one of the next changes. Bounded by topics_max
/// and bytes_max.
class RetainedTable final {
 public:
    static constexpr Millis own_record_timeout{30'000};

    RetainedTable(std::uint64_t seed, std::size_t topics_max, std::size_t bytes_max);

    /// A publish of this gateway that was handed to the bus. An empty payload clears the topic. False: the table is
    /// full.
    bool set_own(mqtt::OutgoingMessage& message, Millis now);
    /// A record of muster.retained that this start of this gateway wrote.
    void own_record_returned(std::string_view topic);
    /// A record of another gateway or of an earlier start. False: the table is full.
    bool set_from_bus(mqtt::OutgoingMessage& message, Millis now);

    /// Appends the messages whose topic matches the filter and that have not expired, at most `messages_max`.
    void match(std::string_view filter, std::size_t messages_max, Millis now, std::vector<mqtt::MessagePtr>& out) const;
    [[nodiscard]] std::size_t topics() const;
    [[nodiscard]] std::size_t bytes() const;

 private:
    struct OwnRecords {
        std::uint32_t not_back = 0;
        Millis last{0};
    };

    bool set(mqtt::OutgoingMessage& message, Millis now);
    void forget(std::string_view topic, const mqtt::Message& message);
    void forget_expired(Millis now);

    const std::size_t bytes_max_;
    mutable std::shared_mutex mutex_;
    mqtt::RetainedTree tree_;  ///< under mutex_, as all below
    std::size_t bytes_ = 0;
    std::set<std::pair<Millis, std::string>> expiring_;        ///< when and which topic, of those with a message expiry
    std::unordered_map<std::string, OwnRecords> own_records_;  ///< by topic; bounded by the records under way
};

}  // namespace muster
