#include "gateway/connection.h"

#include "gateway/listener.h"
#include "gateway/worker.h"

namespace muster {
namespace {

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
    if (!output_) {
        output_ = worker_->outputs().lend();
    }
    worker_->flush_later(*this);
    return output_->bytes;
}

Result<std::size_t> Connection::flush() {
    if (unsent_bytes() == 0) {
        give_back_output();
        return 0;
    }
    const std::string_view rest = output_ ? std::string_view(output_->bytes).substr(output_->sent) : std::string_view{};
    Result<std::size_t> written = transport_ ? transport_->write(socket_, rest) : socket_.write(rest);
    if (!written && written.error().code == ErrorCode::would_block) {
        written = 0;
    }
    if (!written || !output_) {
        return written;
    }
    output_->sent += *written;
    if (output_->unsent() == 0) {
        give_back_output();
    } else if (output_->sent > output_->bytes.size() / 2) {
        output_->bytes.erase(0, output_->sent);
        output_->sent = 0;
    }
    if (output_) {
        worker_->outputs().count(*output_);
    }
    return written;
}

Certified Connection::certified() const {
    if (!transport_) {
        return {};
    }
    return {.has_certificate = transport_->has_certificate(),
            .must_be_named = transport_->listener().options().identity != net::CertificateName::none,
            .name = transport_->certified_name()};
}

net::Address Connection::peer_address() const {
    return transport_ && transport_->client() ? *transport_->client() : socket_.peer_address();
}

void Connection::close_socket() {
    if (transport_) {
        transport_->shut_down(socket_);
    }
    socket_.close();
    give_back_output();
}

void Connection::give_back_output() {
    if (output_) {
        worker_->outputs().give_back(std::move(output_));
    }
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

void Connection::end_later(Cause cause, mqtt::ReasonCode reason, std::string_view why) {
    std::string properties;
    if (!why.empty()) {
        mqtt::PropertyWriter(properties).text(mqtt::PropertyId::reason_string, why);
    }
    end_later(cause, reason, mqtt::Properties(properties));
}

void Connection::send_away(Cause cause, mqtt::ReasonCode reason, std::string_view server) {
    std::string properties;
    if (!server.empty()) {
        mqtt::PropertyWriter(properties).text(mqtt::PropertyId::server_reference, server);
    }
    end_later(cause, reason, mqtt::Properties(properties));
}

void Connection::end_later(Cause cause, mqtt::ReasonCode reason, const mqtt::Properties& properties) {
    if (!is_ending()) {
        protocol_.end(reason, output(), properties);
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
