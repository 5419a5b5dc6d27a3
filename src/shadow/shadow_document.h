#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>
#include <tl/expected.hpp>

#include "base/result.h"

namespace muster {

// The rules of DESIGN 3.5, which are those of the AWS IoT Device Shadow service, as pure functions on JSON values: no
// store, no clock, no topics. Times are epoch seconds, as in AWS's documents.

inline constexpr std::size_t shadow_state_bytes_max = 8 * 1024;  ///< desired and reported together, without metadata
inline constexpr std::size_t shadow_depth_max = 8;               ///< keys on the way from a section to a leaf
inline constexpr std::size_t shadow_client_token_bytes_max = 64;
inline constexpr std::size_t shadow_request_bytes_max = 64 * 1024;  ///< larger payloads are refused unparsed
inline constexpr std::size_t shadow_name_bytes_max = 64;

/// "desired" or "reported": values, and a {"timestamp":s} for each leaf, in the same shape. A section without values is
/// absent.
struct ShadowSection {
    boost::json::object state;
    boost::json::object metadata;
};

/// One shadow of one device, classic or named. A value: owned by whoever reads it from the store.
struct ShadowDocument {
    std::uint64_t version = 0;  ///< of the last accepted update; outlives deletion
    std::int64_t updated_s = 0;
    bool exists = false;
    ShadowSection desired;
    ShadowSection reported;
};

/// A refused request, as AWS words it.
struct ShadowRejection {
    std::uint16_t code = 0;
    std::string message;
    std::string client_token;  ///< of the request, where it could be read
};

template <class T>
using ShadowResult = tl::expected<T, ShadowRejection>;

/// A request's payload after the checks that need no document.
struct ShadowRequest {
    std::string client_token;
    std::optional<std::uint64_t> version;
    boost::json::object state;  ///< update only
};

/// What an accepted update publishes.
struct ShadowUpdate {
    std::string accepted;
    std::optional<std::string> delta;
    std::string documents;
};

/// 1 to 64 of [A-Za-z0-9:_-].
[[nodiscard]] bool is_valid_shadow_name(std::string_view name);

/// The payload of …/get and …/delete: empty, or an object with an optional clientToken.
[[nodiscard]] ShadowResult<ShadowRequest> parse_shadow_request(std::string_view payload);
/// The payload of …/update.
[[nodiscard]] ShadowResult<ShadowRequest> parse_shadow_update(std::string_view payload);

/// Merges the request into the document, or leaves it untouched and says why.
[[nodiscard]] ShadowResult<ShadowUpdate> update_shadow(ShadowDocument& document, const ShadowRequest& request,
                                                       std::int64_t now_s);
/// …/get/accepted. `full_name` as AWS names a shadow in its errors: "thing" or "thing~name".
[[nodiscard]] ShadowResult<std::string> get_shadow(const ShadowDocument& document, const ShadowRequest& request,
                                                   std::string_view full_name, std::int64_t now_s);
/// …/delete/accepted; the version stays.
[[nodiscard]] ShadowResult<std::string> delete_shadow(ShadowDocument& document, const ShadowRequest& request,
                                                      std::string_view full_name, std::int64_t now_s);

/// Every difference: what the device still has to do (rule 7).
[[nodiscard]] boost::json::object shadow_delta(const boost::json::object& desired, const boost::json::object& reported);
/// …/update/delta, when there is any difference.
[[nodiscard]] std::optional<std::string> shadow_delta_message(const ShadowDocument& document, std::int64_t now_s,
                                                              std::string_view client_token = {});
/// …/rejected over MQTT, and the body of an API reply.
[[nodiscard]] std::string to_json(const ShadowRejection& rejection, std::int64_t now_s);

/// The stored form: {"version","timestamp","state":{…},"metadata":{…}}, or {"version","deleted":true}.
[[nodiscard]] std::string to_stored(const ShadowDocument& document);
[[nodiscard]] Result<ShadowDocument> parse_stored_shadow(std::string_view text);

}  // namespace muster
