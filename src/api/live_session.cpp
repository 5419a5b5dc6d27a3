#include "api/live_session.h"

#include <boost/json.hpp>

#include "api/json_writer.h"
#include "api/live.h"
#include "contract/identity.h"

namespace muster {
namespace {

constexpr std::string_view device_prefix = "device:";
constexpr std::size_t names_max = 32;  ///< in one message

}  // namespace

void LiveSession::on_open(std::function<void()> wake) {
    wake_ = std::move(wake);
    send_control(stream_.hello());
    stream_.add(shared_from_this());
}

void LiveSession::on_close() {
    stream_.remove(shared_from_this());
}

Frame LiveSession::next_frame() {
    const std::lock_guard lock(mutex_);
    return outbox_.next();
}

void LiveSession::on_message(std::string_view text) {
    const auto message = json::parse_object(text);
    if (!message) {
        return send_error(message.error().message());
    }
    if (message->contains("ping")) {
        send_control(R"({"type":"pong"})");
    }
    for (const bool adds : {true, false}) {
        const auto* names = message->if_contains(adds ? "subscribe" : "unsubscribe");
        if (names == nullptr) {
            continue;
        }
        if (!names->is_array() || names->get_array().size() > names_max) {
            return send_error("subscribe and unsubscribe are arrays of at most 32 names");
        }
        for (const auto& name : names->get_array()) {
            if (!name.is_string()) {
                return send_error("a subscription is a text");
            }
            adds ? subscribe(name.get_string()) : unsubscribe(name.get_string());
        }
    }
}

void LiveSession::subscribe(std::string_view name) {
    if (name.starts_with(device_prefix)) {
        return subscribe_device(std::string(name.substr(device_prefix.size())));
    }
    const auto topic = live_topic_from(name);
    if (!topic) {
        return send_error("a subscription is fleet, regions, changes, alerts or device:<id>");
    }
    if (!follows_[static_cast<std::size_t>(*topic)].exchange(true)) {
        stream_.count_followers(*topic, 1);
    }
    if (Frame frame = stream_.current(*topic)) {
        offer(*topic, std::move(frame));
    }
}

void LiveSession::subscribe_device(const std::string& id) {
    if (!is_valid_device_id(id)) {
        return send_error("a device id is 1 to 128 of [A-Za-z0-9:_.-]");
    }
    bool full = false;
    {
        const std::lock_guard lock(mutex_);
        full = devices_.size() >= LiveOutbox::devices_max && !devices_.contains(id);
        if (!full) {
            devices_.insert(id);
        }
    }
    if (full) {
        return send_error("at most 16 devices at a time");
    }
    stream_.follow_device(id, shared_from_this());
    if (Frame frame = stream_.current_device(id)) {
        offer_device(id, std::move(frame));
    }
}

void LiveSession::unsubscribe(std::string_view name) {
    if (name.starts_with(device_prefix)) {
        const std::string id(name.substr(device_prefix.size()));
        {
            const std::lock_guard lock(mutex_);
            devices_.erase(id);
            outbox_.forget_device(id);
        }
        return stream_.unfollow_device(id, *this);
    }
    const auto topic = live_topic_from(name);
    if (topic && follows_[static_cast<std::size_t>(*topic)].exchange(false)) {
        stream_.count_followers(*topic, -1);
        const std::lock_guard lock(mutex_);
        outbox_.forget(*topic);
    }
}

std::size_t LiveSession::offer(LiveTopic topic, Frame frame) {
    std::size_t gave_way = 0;
    {
        const std::lock_guard lock(mutex_);
        if (!follows(topic)) {
            return 0;
        }
        gave_way = outbox_.put(topic, std::move(frame));
    }
    wake_();
    return gave_way;
}

std::size_t LiveSession::offer_device(const std::string& id, Frame frame) {
    std::size_t gave_way = 0;
    {
        const std::lock_guard lock(mutex_);
        if (!devices_.contains(id)) {
            return 0;
        }
        gave_way = outbox_.put_device(id, std::move(frame));
    }
    wake_();
    return gave_way;
}

std::set<std::string> LiveSession::take_devices() {
    const std::lock_guard lock(mutex_);
    return std::exchange(devices_, {});
}

void LiveSession::send_control(std::string text) {
    {
        const std::lock_guard lock(mutex_);
        outbox_.put_control(std::make_shared<const std::string>(std::move(text)));
    }
    wake_();
}

void LiveSession::send_error(std::string_view detail) {
    std::string text;
    JsonWriter(text).begin_object().member("type", "error").member("detail", detail).end_object();
    send_control(std::move(text));
}

}  // namespace muster
