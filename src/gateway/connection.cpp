#include "gateway/connection.h"

#include "gateway/worker.h"

namespace muster {
namespace {

// Below it the room of a drained output buffer is not worth giving back: it fits the string itself.
constexpr std::size_t small_output = 32;

mqtt::ReasonCode reason_of(Cause cause) {
    switch (cause) {
        case Cause::duplicate_client_id:
            return mqtt::ReasonCode::session_taken_over;
        case Cause::keepalive_timeout:
            return mqtt::ReasonCode::keep_alive_timeout;
        case Cause::auth_error:
            return mqtt::ReasonCode::not_authorized;
        case Cause::protocol_error:
            return mqtt::ReasonCode::protocol_error;
        case Cause::throttled:
            return mqtt::ReasonCode::quota_exceeded;
        case Cause::server_shutdown:
            return mqtt::ReasonCode::server_shutting_down;
        case Cause::admin:
            return mqtt::ReasonCode::administrative_action;
        default:
            return mqtt::ReasonCode::unspecified_error;
    }
}

}  // namespace

std::string& Connection::output() {
    worker_->flush_later(*this);
    return output_;
}

Result<std::size_t> Connection::flush() {
    if (unsent_bytes() == 0) {
        return 0;
    }
    const Result<std::size_t> written = socket_.write(std::string_view(output_).substr(sent_));
    if (!written) {
        return written.error().code == ErrorCode::would_block ? Result<std::size_t>(0) : written;
    }
    sent_ += static_cast<std::uint32_t>(*written);
    if (sent_ == output_.size()) {
        sent_ = 0;
        output_.clear();
        if (output_.capacity() > small_output) {
            std::string().swap(output_);
        }
    } else if (sent_ > output_.size() / 2) {
        output_.erase(0, sent_);
        sent_ = 0;
    }
    return written;
}

void Connection::end_later(Cause cause) {
    if (cause != Cause::client_disconnect && cause != Cause::connection_lost) {
        end_later(cause, reason_of(cause));
    } else if (!is_ending()) {
        protocol_.close();
        ending_cause_ = cause;
        worker_->close_later(*this);
    }
}

void Connection::end_later(Cause cause, mqtt::ReasonCode reason) {
    if (!is_ending()) {
        protocol_.end(reason, output());
        ending_cause_ = cause;
        worker_->close_later(*this);
    }
}

void Connection::on_io(std::uint32_t events) {
    worker_->on_io(*this, events);
}

void Connection::on_timer() {
    worker_->on_deadline(*this);
}

}  // namespace muster
