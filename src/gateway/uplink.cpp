#include "gateway/uplink.h"

#include <array>

#include "base/assert.h"
#include "contract/share_assignments.h"

namespace muster {

Uplink::Uplink(std::unique_ptr<Producer> producer, const GatewayLimits& limits, Tally& tally)
    : producer_(std::move(producer)), limits_(limits), tally_(tally) {}

bool Uplink::send_packed(const UplinkRecord& record, std::string_view header) {
    std::array<RecordHeader, 3> headers{RecordHeader{event_header_name, header}};
    std::size_t count = 1;
    if (!record.properties.empty()) {
        headers[count++] = {properties_header_name, record.properties};
    }
    if (!record.shares.empty()) {
        headers[count++] = {shares_header_name, record.shares};
    }
    const ProducerRecord packed{.key = record.key,
                                .value = record.value,
                                .headers = std::span(headers).first(count),
                                .time = record.header.received,
                                .partition = record.partition,
                                .tombstone = record.tombstone};
    if (!producer_->send(record.topic, packed, record.token)) {
        return false;
    }
    queued_bytes_ +=
        record.key.size() + record.value.size() + record.properties.size() + record.shares.size() + header.size();
    return true;
}

bool Uplink::send(const UplinkRecord& record) {
    if (!kept_.empty()) {
        return false;
    }
    header_.clear();
    encode(record.header, header_);
    return send_packed(record, header_);
}

void Uplink::send_control(const UplinkRecord& record) {
    MUSTER_ASSERT(record.shares.empty());
    header_.clear();
    encode(record.header, header_);
    if (kept_.empty() && send_packed(record, header_)) {
        return;
    }
    kept_.push_back({record.topic, record.partition, record.header.received, record.tombstone, std::string(record.key),
                     std::string(record.value), std::string(record.properties), header_, record.token});
    tally_.control_records.set(kept_.size());
}

void Uplink::send_kept() {
    while (!kept_.empty()) {
        const Kept& first = kept_.front();
        UplinkRecord record{.topic = first.topic,
                            .key = first.key,
                            .value = first.value,
                            .properties = first.properties,
                            .header = {},
                            .token = first.token,
                            .partition = first.partition,
                            .tombstone = first.tombstone};
        record.header.received = first.time;
        if (!send_packed(record, first.header)) {
            break;
        }
        kept_.pop_front();
    }
    tally_.control_records.set(kept_.size());
}

void Uplink::flush() {
    if (!kept_.empty()) {
        send_kept();
    }
    producer_->flush();
    queued_bytes_ = producer_->queued_bytes();
    tally_.bus_queue_bytes.set(queued_bytes_);
}

std::size_t Uplink::poll(FunctionRef<void(const Delivery&)> on_delivery) {
    const std::size_t count = producer_->poll(on_delivery);
    queued_bytes_ = producer_->queued_bytes();
    return count;
}

Result<void> Uplink::drain(Millis timeout) {
    do {
        flush();
        if (Result<void> drained = producer_->drain(timeout); !drained) {
            return drained;
        }
        queued_bytes_ = producer_->queued_bytes();
    } while (!kept_.empty());
    return {};
}

Uplink::Pressure Uplink::pressure() const {
    const std::size_t half = limits_.bus_queue_bytes_max / 2;
    if (kept_.empty() && queued_bytes_ < half) {
        return Pressure::none;
    }
    return kept_.empty() && queued_bytes_ < half + half / 2 ? Pressure::slow : Pressure::stop;
}

}  // namespace muster
