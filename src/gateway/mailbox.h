#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "bus/bus.h"
#include "contract/downlink.h"
#include "gateway/session.h"
#include "mqtt/message.h"
#include "mqtt/server_session.h"

namespace muster {

/// Asks for word when a message is safe in the session store: the publisher's worker and the token of its publish.
/// Token 0: nobody asks.
struct Receipt {
    std::uint64_t token = 0;
    std::size_t worker = 0;
};

/// What other threads hand to a worker: messages for its sessions, and what muster.downlink asks of them. Any thread
/// puts in, the worker takes out. Bounded by mailbox_messages_max and mailbox_bytes_max: over them QoS 0 is dropped,
/// and who put in more is held (publishers) or waits (the downlink reader).
class Mailbox final {
 public:
    struct Routed {
        mqtt::MessagePtr message;
        SessionHandle to = 0;
        mqtt::DeliverOptions options;
        Receipt receipt{};
    };
    struct Order {
        DownlinkKind kind = DownlinkKind::publish;
        SessionEpoch epoch = 0;  ///< 0 = any
        std::string device;
        mqtt::MessagePtr message;
    };
    struct Content {
        std::vector<Routed> routed;
        std::vector<Order> orders;
        std::vector<Delivery> settled;  ///< of its own publishes; as many as receipts it has asked for
        [[nodiscard]] bool is_empty() const { return routed.empty() && orders.empty() && settled.empty(); }
        void clear() {
            routed.clear();
            orders.clear();
            settled.clear();
        }
    };
    struct PutResult {
        bool wake = false;     ///< it was empty: the worker must be told
        bool is_full = false;  ///< put no more
        std::size_t dropped = 0;
    };

    Mailbox(std::size_t messages_max, std::size_t bytes_max) : messages_max_(messages_max), bytes_max_(bytes_max) {}

    /// Moves the batch in and leaves it empty.
    PutResult put(std::vector<Routed>& batch);
    PutResult put(std::vector<Delivery>& settled);
    PutResult put(Order order);
    /// Swaps the content with `empty`.
    void take(Content& empty);
    [[nodiscard]] bool is_full() const;
    [[nodiscard]] std::size_t size() const;
    /// Blocks while it is full, until close().
    void wait_for_room();
    void close();

 private:
    [[nodiscard]] std::size_t messages() const { return content_.routed.size() + content_.orders.size(); }
    [[nodiscard]] bool is_full_locked() const { return messages() >= messages_max_ || bytes_ >= bytes_max_; }

    const std::size_t messages_max_;
    const std::size_t bytes_max_;
    mutable std::mutex mutex_;
    std::condition_variable room_;
    Content content_;
    std::size_t bytes_ = 0;
    bool closed_ = false;
};

}  // namespace muster
