#include "mqtt/message.h"

#include <utility>

namespace muster::mqtt {

namespace {

/// The others belong to one hop, or are kept as a field.
bool is_kept(PropertyId id) {
    return id != PropertyId::message_expiry && id != PropertyId::topic_alias &&
           id != PropertyId::subscription_identifier && id != PropertyId::will_delay;
}

}  // namespace

std::optional<std::uint32_t> keep_properties(const Properties& properties, std::string& kept) {
    PropertyWriter writer(kept);
    for (const Property& property : properties) {
        if (is_kept(property.id)) {
            writer.copy(property);
        }
    }
    return properties.number(PropertyId::message_expiry);
}

Publish Message::view() const {
    Publish publish;
    publish.topic = topic;
    publish.payload = payload;
    publish.properties = Properties(properties);
    publish.qos = qos;
    publish.retain = retain;
    return publish;
}

Publish Message::view_with_expiry(std::string& block) const {
    Publish publish = view();
    if (expiry_s) {
        block = properties;
        PropertyWriter(block).number(PropertyId::message_expiry, *expiry_s);
        publish.properties = Properties(block);
    }
    return publish;
}

bool Message::is_expired(Millis now) const {
    return expiry_s && now >= published + Seconds(*expiry_s);
}

MessagePtr keep_message(const Publish& publish, Millis now, std::uint64_t publisher) {
    auto message = std::make_shared<Message>();
    message->topic = publish.topic;
    message->payload = publish.payload;
    message->published = now;
    message->publisher = publisher;
    message->qos = publish.qos;
    message->retain = publish.retain;
    message->expiry_s = keep_properties(publish.properties, message->properties);
    return message;
}

OutgoingMessage::OutgoingMessage(const Publish& publish, Millis now, std::uint64_t publisher)
    : view_(publish), now_(now), publisher_(publisher) {
    // Properties have to be sorted out before they go on: only messages without any are sent straight from the read
    // buffer.
    if (!publish.properties.empty()) {
        kept_ = keep_message(publish, now, publisher);
        view_ = kept_->view();
    }
}

OutgoingMessage::OutgoingMessage(MessagePtr message) : view_(message->view()), kept_(std::move(message)) {}

const MessagePtr& OutgoingMessage::kept() {
    if (!kept_) {
        kept_ = keep_message(view_, now_, publisher_);
    }
    return kept_;
}

}  // namespace muster::mqtt
