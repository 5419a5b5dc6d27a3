#include "gateway/admission.h"

#include <fmt/format.h>

#include "contract/identity.h"
#include "contract/json.h"
#include "net/entropy.h"

namespace muster {
namespace {

constexpr std::size_t operator_client_id_bytes_max = 256;

using Named = tl::expected<void, mqtt::ReasonCode>;

Named name_operator(const mqtt::Connect& connect, const GatewayOptions& options, Admission& admission) {
    const std::string_view password = connect.password.value_or(std::string_view{});
    if (!options.is_operator || !options.is_operator(*connect.user_name, password)) {
        return tl::unexpected(mqtt::ReasonCode::bad_user_name_or_password);
    }
    if (connect.client_id.size() > operator_client_id_bytes_max) {
        return tl::unexpected(mqtt::ReasonCode::client_identifier_not_valid);
    }
    admission.role = Role::fleet_operator;
    admission.user = *connect.user_name;
    // '/' stands in no device id: an operator's tool that calls itself like a device does not take its session.
    admission.key = "/operator/" + std::string(connect.client_id);
    if (connect.client_id.empty()) {
        admission.key += net::random_hex(16);
    }
    return {};
}

Named name_device(const mqtt::Connect& connect, const Certified& certified, Admission& admission) {
    if (certified.must_be_named && (certified.name.empty() || certified.name != connect.client_id)) {
        return tl::unexpected(mqtt::ReasonCode::not_authorized);
    }
    // Over mTLS a user name without a password says nothing of who it is: AWS's device SDKs put their version there.
    admission.user = connect.user_name.value_or(std::string_view{});
    if (connect.client_id.empty()) {
        admission.role = Role::guest;
        admission.key = "/guest/" + net::random_hex(16);
        return {};
    }
    if (!is_valid_device_id(connect.client_id)) {
        return tl::unexpected(mqtt::ReasonCode::client_identifier_not_valid);
    }
    admission.role = Role::device;
    admission.key = connect.client_id;
    return {};
}

}  // namespace

tl::expected<Admission, mqtt::ReasonCode> admit(const mqtt::Connect& connect, const GatewayOptions& options,
                                                const Certified& certified) {
    if (connect.version != mqtt::ProtocolVersion::v3_1_1) {
        return tl::unexpected(mqtt::ReasonCode::unsupported_protocol_version);
    }
    if (connect.client_id.empty() && !connect.clean_start) {
        return tl::unexpected(mqtt::ReasonCode::client_identifier_not_valid);
    }
    Admission admission;
    const bool is_known_by_password = connect.user_name && (connect.password || !certified.has_certificate);
    const Named named =
        is_known_by_password ? name_operator(connect, options, admission) : name_device(connect, certified, admission);
    if (!named) {
        return tl::unexpected(named.error());
    }
    const std::string_view device =
        admission.role == Role::device ? std::string_view(admission.key) : std::string_view{};
    if (connect.will && !may_publish(admission.role, device, classify_topic(connect.will->topic))) {
        return tl::unexpected(mqtt::ReasonCode::not_authorized);
    }
    admission.clean_start = connect.clean_start;
    admission.keep_alive_s = connect.keep_alive_s;
    admission.attach = mqtt::AttachOptions::of(connect);
    if (connect.will) {
        admission.will = mqtt::keep_message(*connect.will);
    }
    return admission;
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
