#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "mqtt/packets.h"

namespace muster::mqtt {

/// An application message that outlives the buffer it came in: queued, in flight, retained or a will. Immutable and
/// shared: one copy however many sessions wait for it. Freely passed between threads.
struct Message {
    std::string topic;
    std::string payload;
    std::string properties;  ///< encoded; without message expiry, topic alias, subscription identifiers and will delay
    std::optional<std::uint32_t> expiry_s;  ///< v5 Message Expiry, from `published` on
    Millis published{0};                    ///< monotonic
    std::uint64_t publisher = 0;            ///< its owner's name for the client that published it; 0 = not known
    std::uint8_t qos = 0;                   ///< as published
    bool retain = false;                    ///< as published

    /// A view of it as a PUBLISH with the published QoS and retain flag, without packet id and without message expiry.
    [[nodiscard]] Publish view() const;
    /// The same with its message expiry, for the next hop; `block` holds its properties then.
    [[nodiscard]] Publish view_with_expiry(std::string& block) const;
    [[nodiscard]] bool is_expired(Millis now) const;
    /// Counted against queue bounds.
    [[nodiscard]] std::size_t bytes() const { return topic.size() + payload.size() + properties.size(); }
};

using MessagePtr = std::shared_ptr<const Message>;

[[nodiscard]] MessagePtr keep_message(const Publish& publish, Millis now, std::uint64_t publisher = 0);
/// Appends to `kept` those that go on with the message; the message expiry is returned instead, the others belong to
/// one hop.
[[nodiscard]] std::optional<std::uint32_t> keep_properties(const Properties& properties, std::string& kept);

/// One message on its way to any number of sessions: a view, copied once, when the first session has to keep it. Lives
/// on the stack for the length of one fan-out; pass the same object to every ServerSession::deliver.
class OutgoingMessage final {
 public:
    OutgoingMessage(const Publish& publish, Millis now, std::uint64_t publisher = 0);
    explicit OutgoingMessage(MessagePtr message);

    [[nodiscard]] const Publish& view() const { return view_; }
    [[nodiscard]] const MessagePtr& kept();
    /// The copy if there is one already.
    [[nodiscard]] const Message* kept_already() const { return kept_.get(); }

 private:
    Publish view_;
    Millis now_{0};
    std::uint64_t publisher_ = 0;
    MessagePtr kept_;
};

}  // namespace muster::mqtt
