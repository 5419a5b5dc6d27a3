#include "shadow/documents.h"

#include "shadow/document_keys.h"
#include "shadow/shadow_document.h"

namespace muster {

Result<std::optional<std::string>> read_shadow(const DocumentStore& store, std::string_view device,
                                               std::string_view name) {
    const auto stored = store.get(document_keys::shadow, document_keys::shadow_key(device, name));
    if (!stored) {
        return tl::unexpected(stored.error());
    }
    if (!*stored) {
        return std::nullopt;
    }
    const auto document = parse_stored_shadow(**stored);
    if (!document) {
        return tl::unexpected(document.error());
    }
    auto text = get_shadow(*document, {}, device, document->updated_s);
    return text ? std::optional(std::move(*text)) : std::nullopt;
}

Result<std::optional<std::string>> read_command(const DocumentStore& store, std::string_view execution_id) {
    return store.get(document_keys::command, execution_id);
}

Result<std::vector<std::string>> list_commands(const DocumentStore& store, std::string_view device, std::size_t limit) {
    const auto keys =
        store.list(document_keys::device_command, document_keys::device_command_prefix(device), {}, limit);
    if (!keys) {
        return tl::unexpected(keys.error());
    }
    std::vector<std::string> commands;
    commands.reserve(keys->size());
    for (const auto& [key, unused] : *keys) {
        auto command = read_command(store, document_keys::execution_of(key));
        if (!command) {
            return tl::unexpected(command.error());
        }
        if (*command) {  // a command that was trimmed between the two reads is simply not listed
            commands.push_back(std::move(**command));
        }
    }
    return commands;
}

}  // namespace muster
