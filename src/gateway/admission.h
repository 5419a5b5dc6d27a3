#pragma once

#include <string>
#include <string_view>

#include "gateway/access.h"
#include "gateway/gateway_options.h"
#include "mqtt/packed_will.h"
#include "mqtt/packets.h"
#include "mqtt/server_session.h"

namespace muster {

/// An accepted CONNECT, copied out of its packet: what is needed until the session store has given the epoch and the
/// session begins. Owned by its connection until then.
struct Admission {
    /// Names the session among all sessions: the device id; a name that no device id can have for the other roles.
    std::string key;
    Role role = Role::device;
    bool clean_start = true;
    bool is_expiry_cut = false;      ///< the client asked for a longer session expiry than it gets
    bool is_keep_alive_cut = false;  ///< the same for keep-alive; 3.1.1 cannot be told and keeps its own
    std::uint16_t keep_alive_s = 0;
    std::string assigned_client_id;  ///< v5, for a client without one: it may come back under it
    std::string user;
    mqtt::AttachOptions attach;
    mqtt::PackedWill will;
};

/// What the transport knows of a client; a view.
struct Certified {
    bool has_certificate = false;
    bool must_be_named = false;  ///< only a certificate makes a device
    std::string_view name{};     ///< the device id in the certificate; empty: none
};

/// Decides who a client is, or why it is refused. No side effect but a random name for a client without one.
[[nodiscard]] mqtt::Decoded<Admission> admit(const mqtt::Connect& connect, const GatewayOptions& options,
                                             const Certified& certified = {});

/// The properties of the CONNACK that accepts the client: what it is given, and every limit of ours that it has to
/// know. Nothing in 3.1.1.
void write_connack_properties(const Admission& admission, const GatewayLimits& limits, std::string& out);

/// The value of the connect record: {"address":"127.0.0.1:5000","protocol":"3.1.1","clean":true,"user":"..."}.
void write_connect_detail(const Admission& admission, std::string_view address, std::string& out);

}  // namespace muster
