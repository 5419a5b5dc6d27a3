#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "gateway/gateway_options.h"
#include "gateway/mailbox.h"
#include "gateway/session_journal.h"
#include "gateway/session_table.h"
#include "gateway/subscription_index.h"
#include "gateway/tally.h"
#include "mqtt/message.h"

namespace muster {

/// Brings messages to the sessions that subscribed to them: to those of its own worker at once, to others through their
/// mailboxes at the end of the turn. Belongs to one worker's thread; the downlink reader has one without sessions.
class Courier final {
 public:
    /// `mailboxes`: of all workers, by number. `sessions`: null for a thread that has none.
    Courier(SubscriptionIndex& index, std::vector<Mailbox*> mailboxes, const GatewayLimits& limits, Tally& tally)
        : index_(index),
          mailboxes_(std::move(mailboxes)),
          outboxes_(mailboxes_.size()),
          limits_(limits),
          tally_(tally) {}
    void serve(std::size_t worker, SessionTable& sessions, SessionJournal& journal) {
        worker_ = worker;
        sessions_ = &sessions;
        journal_ = &journal;
    }

    /// Of the publish that is routed next, QoS 1 or 2: its token is to come back from every worker that stores it for a
    /// kept session. 0: from none.
    void ask_receipts(std::uint64_t token) {
        token_ = token;
        asked_ = 0;
    }
    /// How often it will come.
    [[nodiscard]] std::uint8_t receipts_asked() const { return static_cast<std::uint8_t>(std::popcount(asked_)); }

    /// Finds who subscribed to the topic of the message that is routed next; `is_here` settles the shared
    /// subscriptions.
    void find(std::string_view topic, SubscriptionIndex::IsHere is_here) {
        recipients_.clear();
        index_.match(topic, recipients_, is_here);
    }
    /// To everyone who was found; `from` is the publishing session, 0 when it is not of this gateway. False: a mailbox
    /// on the way is full, the publisher should wait.
    bool route(mqtt::OutgoingMessage& message, SessionHandle from, Millis now);
    /// What came through the mailbox.
    void deliver(const Mailbox::Routed& routed, Millis now);
    void deliver(Session& session, mqtt::OutgoingMessage& message, const mqtt::DeliverOptions& options, Millis now);
    /// A message of a shared subscription, to another member than this one, if there is any.
    void reroute(mqtt::OutgoingMessage& message, std::uint32_t share, SessionHandle than, Millis now);

    /// Puts what is for other workers into their mailboxes; `wake` is called with each worker that must be told.
    void hand_over(FunctionRef<void(std::size_t worker)> wake);
    /// Some mailbox was full when it was last looked at.
    [[nodiscard]] bool is_congested();

 private:
    static constexpr std::size_t no_worker = ~std::size_t{0};

    [[nodiscard]] Receipt receipt_from(std::size_t worker, SessionHandle to, std::uint8_t qos);
    void hand(mqtt::OutgoingMessage& message, SessionHandle to, const mqtt::DeliverOptions& options, Millis now);
    void count(mqtt::Delivery outcome);

    SubscriptionIndex& index_;
    const std::vector<Mailbox*> mailboxes_;
    std::vector<std::vector<Mailbox::Routed>> outboxes_;  ///< bounded by what one turn reads
    const GatewayLimits& limits_;
    Tally& tally_;
    std::size_t worker_ = no_worker;
    SessionTable* sessions_ = nullptr;
    std::vector<Recipient> recipients_;  ///< reused
    std::string nowhere_;                ///< output of sessions that are away; stays empty
    SessionJournal* journal_ = nullptr;
    std::uint64_t token_ = 0;
    std::uint64_t asked_ = 0;  ///< a bit a worker: 64 at most
    bool congested_ = false;
};

}  // namespace muster
