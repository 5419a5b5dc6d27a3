#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "shadow/command.h"
#include "shadow/shadow_document.h"
#include "shadow/shadow_topics.h"

namespace {

/// Applies a device's payload to a document and holds what must be true of every document that there can be.
void update(muster::ShadowDocument& document, std::string_view payload, std::int64_t now_s) {
    const auto request = muster::parse_shadow_update(payload);
    if (!request) {
        MUSTER_ASSERT(request.error().code >= 400 && !to_json(request.error(), now_s).empty());
        return;
    }
    const std::uint64_t version = document.version;
    const auto done = muster::update_shadow(document, *request, now_s);
    MUSTER_ASSERT(document.version == version + (done ? 1 : 0));
    const std::string stored = to_stored(document);
    const auto read = muster::parse_stored_shadow(stored);
    MUSTER_ASSERT(read && to_stored(*read) == stored);
    const auto delta = muster::shadow_delta(document.desired.state, document.reported.state);
    MUSTER_ASSERT(!done || done->delta.has_value() == !delta.empty());
}

}  // namespace

// Payloads separated by 0xFF (which is in no UTF-8 text): updates of one shadow, then a command and its answers.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    muster::ShadowDocument document;
    muster::Command command = muster::make_command("e1", "d1", {}, muster::from_epoch_ms(1));
    for (std::int64_t now_s = 1; !rest.empty(); ++now_s) {
        const std::string_view payload = rest.substr(0, rest.find('\xff'));
        rest.remove_prefix(std::min(rest.size(), payload.size() + 1));
        update(document, payload, now_s);
        (void)muster::parse_shadow_request(payload);
        (void)muster::parse_stored_shadow(payload);
        (void)muster::parse_shadow_topic(payload);
        (void)muster::parse_command_answer_topic(payload);
        (void)muster::parse_command(payload);
        (void)muster::parse_command_request(payload);
        if (auto answer = muster::parse_command_answer(payload); answer) {
            (void)muster::apply_answer(command, std::move(*answer), muster::from_epoch_ms(now_s * 1000));
            const auto read = muster::parse_command(to_json(command));
            MUSTER_ASSERT(read && to_json(*read) == to_json(command));
        }
    }
    return 0;
}
