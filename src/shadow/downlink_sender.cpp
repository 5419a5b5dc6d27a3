#include "shadow/downlink_sender.h"

#include <algorithm>
#include <array>

#include "bus/standard_topics.h"
#include "contract/bus_topics.h"
#include "contract/event.h"
#include "contract/identity.h"

namespace muster {
namespace {

constexpr Millis drain_timeout{5000};

/// A gateway's name becomes part of a topic name; Kafka allows in one what a device id may have, but for ':'.
bool is_usable(std::string_view gateway) {
    return is_valid_device_id(gateway) && gateway.size() <= gateway_name_bytes_max &&
           gateway.find(':') == std::string_view::npos;
}

bool is_hopeless(ErrorCode code) {
    return code == ErrorCode::too_large || code == ErrorCode::invalid_argument;
}

}  // namespace

void DownlinkSender::send(const std::vector<Downlink>& downlinks, std::vector<std::size_t>& unsent) {
    std::vector<std::size_t> left;
    for (const std::size_t index : unsent) {
        const auto sent = send_one(downlinks[index], index + 1);
        if (sent) {
            left.push_back(index);  // until its delivery is reported
        } else if (is_hopeless(sent.error().code)) {
            metrics_.dropped_downlink.Increment();
        } else {
            metrics_.bus_errors.Increment();
            left.push_back(index);
        }
    }
    producer_->flush();
    if (const auto drained = producer_->drain(drain_timeout); !drained) {
        metrics_.bus_errors.Increment();
    }
    producer_->poll([&](const Delivery& delivery) {
        if (delivery.durable) {
            std::erase(left, static_cast<std::size_t>(delivery.token - 1));
        }
    });
    unsent = std::move(left);
}

Result<void> DownlinkSender::send_one(const Downlink& downlink, std::uint64_t token) {
    const auto topic = topic_of(downlink.gateway);
    if (!topic) {
        return tl::unexpected(topic.error());
    }
    DownlinkHeader header;
    header.kind = downlink.kind;
    header.qos = 1;
    header.status = downlink.status;
    header.epoch = downlink.epoch;
    header.correlation = downlink.correlation;
    header.topic = downlink.topic;
    std::string packed;
    encode(header, packed);
    const std::array headers{RecordHeader{downlink_header_name, packed}};
    ProducerRecord record;
    record.key = downlink.device;
    record.value = downlink.payload;
    record.headers = headers;
    auto sent = producer_->send(*topic, record, token);
    if (!sent && sent.error().code == ErrorCode::queue_full) {
        (void)producer_->drain(drain_timeout);  // a second refusal is told to the caller
        sent = producer_->send(*topic, record, token);
    }
    return sent;
}

Result<TopicId> DownlinkSender::topic_of(const std::string& gateway) {
    if (const auto found = topics_.find(gateway); found != topics_.end()) {
        return found->second;
    }
    if (!is_usable(gateway) || topics_.size() >= downlink_gateways_max) {
        return fail(ErrorCode::invalid_argument, "no downlink topic for this gateway");
    }
    auto opened = bus_.open_topic(standard_topic(bus_topics::downlink(gateway)));
    if (opened) {
        topics_.emplace(gateway, *opened);
    }
    return opened;
}

}  // namespace muster
