#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/function_ref.h"
#include "bus/bus.h"
#include "gateway/gateway_context.h"
#include "gateway/mailbox.h"
#include "gateway/session_table.h"
#include "gateway/tally.h"
#include "net/reactor.h"

namespace muster {

/// What happens to one worker's kept sessions, on its way to the SessionStore: gathers the changes of a turn into one
/// batch, and does what waits for it once it is stored: messages are sent, SUBACK, PUBREC, PUBREL and PUBCOMP follow,
/// publishers learn that their message is safe (docs/decisions/0020). Sessions that end with their connection never
/// come here. One thread. Bounded by session_store_bytes_max: over it publishers are held.
class SessionJournal final {
 public:
    SessionJournal(GatewayContext& context, std::size_t worker, SessionTable& sessions, const net::Reactor& reactor,
                   Tally& tally);

    /// Messages get larger numbers than this one, which a session has brought along.
    void count_beyond(std::uint64_t number) { last_number_ = std::max(last_number_, number); }

    /// Its subscriptions, its connection or its expiry have changed.
    void note(Session& session);
    /// It is no more: nothing of it stays.
    void discard(const Session& session);
    /// deliver() has just queued a message for it: numbers and stores it.
    void keep_newest(Session& session);
    /// The client has answered with PUBREC.
    void keep_released(const Session& session, std::uint64_t number, std::uint16_t packet_id);
    void forget(const Session& session, std::uint64_t number);
    /// Messages that the session has dropped since it queued them.
    void forget_dropped(Session& session);
    /// A QoS 2 message of the client is safe: PUBREC follows when its packet id is.
    void keep_packet_id(const Session& session, std::uint16_t packet_id);
    void forget_packet_id(const Session& session, std::uint16_t packet_id);
    /// These bytes go to the session's present connection when everything up to here is stored.
    void answer_later(const Session& session, std::string bytes);
    /// The publisher's worker hears of it when everything up to here is stored.
    void acknowledge_later(const Receipt& receipt);

    /// The documents of what was noted, now and not at the end of the turn.
    void write_documents();
    [[nodiscard]] bool has_changes() const { return !noted_.empty() || !changes_.empty() || !sequel_.is_empty(); }
    [[nodiscard]] bool is_full() const;
    /// At the end of a turn. `submit` gets the batch; every batch is answered by one on_stored(), in their order.
    void flush(FunctionRef<void(std::vector<SessionChange>&&)> submit);
    /// The oldest batch on its way is stored, or could not be. `settle` gets what concerns this worker's own
    /// publishers.
    void on_stored(bool durable, FunctionRef<void(const Delivery&)> settle);
    /// Settled publishes of other workers, into their mailboxes; `wake` is called with each worker that must be told.
    void hand_over(FunctionRef<void(std::size_t worker)> wake);

 private:
    struct Named {
        SessionHandle session = 0;
        std::uint64_t number = 0;
    };
    struct Answer {
        SessionHandle session = 0;
        std::uint32_t attachment = 0;
        std::string bytes;
    };
    /// What follows when a batch is stored.
    struct Sequel {
        std::vector<Answer> answers;
        std::vector<Named> packet_ids;
        std::vector<Named> messages;
        std::vector<Receipt> receipts;
        std::size_t bytes = 0;

        [[nodiscard]] bool is_empty() const {
            return answers.empty() && packet_ids.empty() && messages.empty() && receipts.empty();
        }
    };

    void add(SessionChange change);
    void confirm(const Named& message);
    void answer(const Answer& answer);
    void finish_packet_id(const Named& packet_id);

    GatewayContext& context_;
    const std::size_t worker_;
    SessionTable& sessions_;
    const net::Reactor& reactor_;
    Tally& tally_;
    std::vector<SessionHandle> noted_;    ///< their documents are written at the end of the turn, once
    std::vector<SessionChange> changes_;  ///< of this turn
    Sequel sequel_;
    std::deque<Sequel> on_their_way_;
    std::vector<std::vector<Delivery>> settled_;  ///< by worker
    std::vector<std::uint64_t> numbers_;          ///< reused
    std::string nowhere_;                         ///< output of sessions that are away; stays empty
    std::size_t bytes_ = 0;                       ///< of changes not yet stored
    std::uint64_t last_number_;
};

}  // namespace muster
