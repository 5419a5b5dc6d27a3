#include "gateway/admission.h"

#include <algorithm>

#include <fmt/format.h>

#include "contract/identity.h"
#include "contract/json.h"
#include "net/entropy.h"

namespace muster {
namespace {

constexpr std::size_t operator_client_id_bytes_max = 256;
constexpr std::size_t noted_user_bytes_max = 256;
constexpr std::size_t random_bytes = 16;
constexpr std::string_view guest_prefix = "/guest/";

mqtt::Decoded<void> name_operator(const mqtt::Connect& connect, const GatewayOptions& options, Admission& admission) {
    const std::string_view password = connect.password.value_or(std::string_view{});
    if (!options.is_operator || !options.is_operator(*connect.user_name, password)) {
        return mqtt::refuse(mqtt::ReasonCode::bad_user_name_or_password, "user name or password is wrong");
    }
    if (connect.client_id.size() > operator_client_id_bytes_max) {
        return mqtt::refuse(mqtt::ReasonCode::client_identifier_not_valid, "the client identifier is too long");
    }
    admission.role = Role::fleet_operator;
    admission.user = *connect.user_name;
    // '/' stands in no device id: an operator's tool that calls itself like a device does not take its session.
    admission.key = "/operator/" + std::string(connect.client_id);
    if (connect.client_id.empty()) {
        admission.assigned_client_id = net::random_hex(random_bytes);
        admission.key += admission.assigned_client_id;
    }
    return {};
}

/// Whether a client without a name was once given this one. Guessing another's is as hard as guessing a key.
bool is_guest_name(std::string_view client_id) {
    return client_id.size() == guest_prefix.size() + 2 * random_bytes && client_id.starts_with(guest_prefix) &&
           client_id.find_first_not_of("0123456789abcdef", guest_prefix.size()) == std::string_view::npos;
}

mqtt::Decoded<void> name_device(const mqtt::Connect& connect, const Certified& certified, Admission& admission) {
    if (certified.must_be_named && (certified.name.empty() || certified.name != connect.client_id)) {
        return mqtt::refuse(mqtt::ReasonCode::not_authorized, "the certificate does not name the client identifier");
    }
    // Over mTLS a user name without a password says nothing of who it is: AWS's device SDKs put their version there.
    admission.user = connect.user_name.value_or(std::string_view{}).substr(0, noted_user_bytes_max);
    if (connect.client_id.empty()) {
        admission.role = Role::guest;
        admission.assigned_client_id = std::string(guest_prefix) + net::random_hex(random_bytes);
        admission.key = admission.assigned_client_id;
        return {};
    }
    if (is_guest_name(connect.client_id)) {
        admission.role = Role::guest;
        admission.key = connect.client_id;
        return {};
    }
    if (!is_valid_device_id(connect.client_id)) {
        return mqtt::refuse(mqtt::ReasonCode::client_identifier_not_valid,
                            "a device id has 1 to 128 of A-Z a-z 0-9 : _ . -");
    }
    admission.role = Role::device;
    admission.key = connect.client_id;
    return {};
}

/// The ids of canaries are Muster's own: whoever else took one would make it measure nonsense.
mqtt::Decoded<void> name_canary(const mqtt::Connect& connect, const GatewayOptions& options, Admission& admission) {
    const bool known = connect.user_name && connect.password && options.is_canary &&
                       options.is_canary(*connect.user_name, *connect.password);
    if (!known || *connect.user_name != connect.client_id) {
        return mqtt::refuse(mqtt::ReasonCode::not_authorized, "the client identifier is Muster's own");
    }
    return name_device(connect, {}, admission);
}

void cut_to_limits(const GatewayLimits& limits, Admission& admission) {
    admission.is_expiry_cut = admission.attach.session_expiry_s > limits.session_expiry_s_max;
    admission.attach.session_expiry_s = std::min(admission.attach.session_expiry_s, limits.session_expiry_s_max);
    // 0 asks for none at all.
    admission.is_keep_alive_cut = admission.attach.version == mqtt::ProtocolVersion::v5 &&
                                  limits.keep_alive_s_max != 0 &&
                                  (admission.keep_alive_s == 0 || admission.keep_alive_s > limits.keep_alive_s_max);
    if (admission.is_keep_alive_cut) {
        admission.keep_alive_s = limits.keep_alive_s_max;
    }
}

}  // namespace

mqtt::Decoded<Admission> admit(const mqtt::Connect& connect, const GatewayOptions& options,
                               const Certified& certified) {
    if (connect.version != mqtt::ProtocolVersion::v5 && connect.client_id.empty() && !connect.clean_start) {
        return mqtt::refuse(mqtt::ReasonCode::client_identifier_not_valid,
                            "a device id has 1 to 128 of A-Z a-z 0-9 : _ . -");  // could not be told its name
    }
    if (connect.properties.has(mqtt::PropertyId::authentication_method)) {
        return mqtt::refuse(mqtt::ReasonCode::bad_authentication_method, "no authentication method is supported");
    }
    Admission admission;
    const bool is_known_by_password = connect.user_name && (connect.password || !certified.has_certificate);
    const mqtt::Decoded<void> named = is_canary(connect.client_id) ? name_canary(connect, options, admission)
                                      : is_known_by_password       ? name_operator(connect, options, admission)
                                                                   : name_device(connect, certified, admission);
    if (!named) {
        return tl::unexpected(named.error());
    }
    const std::string_view device =
        admission.role == Role::device ? std::string_view(admission.key) : std::string_view{};
    if (connect.will && !may_publish(admission.role, device, classify_topic(connect.will->topic))) {
        return mqtt::refuse(mqtt::ReasonCode::not_authorized, "the will's topic is not the client's own");
    }
    admission.clean_start = connect.clean_start;
    admission.keep_alive_s = connect.keep_alive_s;
    admission.attach = mqtt::AttachOptions::of(connect);
    cut_to_limits(options.limits, admission);
    if (connect.will) {
        admission.will = mqtt::PackedWill(*connect.will);
    }
    return admission;
}

void write_connack_properties(const Admission& admission, const GatewayLimits& limits, std::string& out) {
    if (admission.attach.version != mqtt::ProtocolVersion::v5) {
        return;
    }
    using mqtt::PropertyId;
    mqtt::PropertyWriter writer(out);
    if (admission.is_expiry_cut) {
        writer.number(PropertyId::session_expiry, admission.attach.session_expiry_s);
    }
    writer.number(PropertyId::receive_maximum, limits.session.receive_maximum);
    if (limits.connection.qos_max < 2) {
        writer.number(PropertyId::maximum_qos, limits.connection.qos_max);
    }
    writer.number(PropertyId::maximum_packet_size, static_cast<std::uint32_t>(limits.connection.packet_bytes_max));
    if (!admission.assigned_client_id.empty()) {
        writer.text(PropertyId::assigned_client_id, admission.assigned_client_id);
    }
    writer.number(PropertyId::topic_alias_maximum, limits.connection.topic_alias_max);
    if (admission.is_keep_alive_cut) {
        writer.number(PropertyId::server_keep_alive, admission.keep_alive_s);
    }
}

void write_connect_detail(const Admission& admission, std::string_view address, std::string& out) {
    out += R"({"address":)";
    json::append_string(out, address);
    out += R"(,"protocol":)";
    json::append_string(out, mqtt::name_of(admission.attach.version));
    out += admission.clean_start ? R"(,"clean":true)" : R"(,"clean":false)";
    if (!admission.user.empty()) {
        out += R"(,"user":)";
        json::append_string(out, admission.user);
    }
    out += '}';
}

}  // namespace muster
