#include "shadow/document_keys.h"

#include <fmt/format.h>

namespace muster::document_keys {

std::string shadow_key(std::string_view device, std::string_view name) {
    return fmt::format("{}/{}", device, name);
}

std::string device_command_prefix(std::string_view device) {
    return fmt::format("{}/", device);
}

std::string device_command_key(std::string_view device, Timestamp created, std::string_view execution_id) {
    return fmt::format("{}/{:016x}/{}", device, ~static_cast<std::uint64_t>(to_epoch_ms(created)), execution_id);
}

std::string_view execution_of(std::string_view key) {
    return key.substr(key.rfind('/') + 1);
}

std::string pending_prefix(Partition partition) {
    return fmt::format("{}/", partition);
}

std::string pending_key(Partition partition, std::string_view execution_id) {
    return fmt::format("{}/{}", partition, execution_id);
}

std::string idempotency_key(std::string_view device, std::string_view key) {
    return fmt::format("{}/{}", device, key);
}

std::string cursor_key(Partition partition) {
    return fmt::format("{}", partition);
}

}  // namespace muster::document_keys
