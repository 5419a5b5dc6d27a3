#include "app/gateway_command.h"

#include <cstdio>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "api/api_client.h"
#include "app/process.h"
#include "app/running_server.h"
#include "base/time.h"
#include "contract/drain_order.h"
#include "contract/json.h"

namespace muster {
namespace {

constexpr Millis look_again{500};
constexpr int looks_before_it_must_drain = 20;

struct Progress {
    std::int64_t sessions = 0;
    bool draining = false;
};

/// not_found: the gateway has gone.
Result<Progress> progress_of(const ApiClient& client, const std::string& gateway) {
    std::string text;
    const auto got = client.get("/api/v1/fleet", {}, [&](std::string_view piece) -> Result<void> {
        text += piece;
        return {};
    });
    const auto fleet = got ? json::parse_object(text) : tl::unexpected(got.error());
    if (!fleet) {
        return tl::unexpected(fleet.error());
    }
    const auto* gateways = fleet->if_contains("gateways");
    for (const auto& entry :
         gateways != nullptr && gateways->is_array() ? gateways->get_array() : boost::json::array()) {
        std::string name;
        if (entry.is_object() && json::read(entry.get_object(), "name", name) && name == gateway) {
            Progress progress;
            (void)json::read(entry.get_object(), "sessions", progress.sessions);
            const auto* draining = entry.get_object().if_contains("draining");
            progress.draining = draining != nullptr && draining->is_bool() && draining->get_bool();
            return progress;
        }
    }
    return fail(ErrorCode::not_found, "the server does not list this gateway", gateway);
}

Result<void> follow(const ApiClient& client, const std::string& gateway) {
    std::optional<std::int64_t> told;
    for (int looks = 0;; ++looks) {
        const auto progress = progress_of(client, gateway);
        if (!progress) {
            return tl::unexpected(progress.error());
        }
        if (!progress->draining && looks >= looks_before_it_must_drain) {
            return fail(ErrorCode::timed_out, "the gateway does not drain",
                        "somebody has ended it, or it is not there");
        }
        if (told != progress->sessions) {
            fmt::print(stderr, "{}: {} clients left\n", gateway, progress->sessions);
            told = progress->sessions;
        }
        if (progress->draining && progress->sessions == 0) {
            return {};
        }
        std::this_thread::sleep_for(look_again);
    }
}

Result<void> drain(const ApiClient& client, const GatewayDrainOptions& options) {
    const std::string path = "/api/v1/gateways/" + options.gateway + "/drain";
    if (options.undo) {
        return client.remove(path).map([&] { fmt::print(stderr, "{} takes clients again.\n", options.gateway); });
    }
    std::string body;
    {
        std::string reference;
        json::append_string(reference, options.server_reference);
        body = fmt::format(R"({{"rate_per_s":{},"moved":{},"server_reference":{}}})", options.rate_per_s, options.moved,
                           reference);
    }
    auto done = client.post(path, body);
    if (done && !options.no_wait) {
        done = follow(client, options.gateway);
    }
    if (done) {
        fmt::print(stderr, "{} {}.\n", options.gateway, options.no_wait ? "drains" : "is drained");
    }
    return done;
}

}  // namespace

int run_gateway_drain(const GatewayDrainOptions& options) {
    release_signals();
    const auto done =
        client_of(
            {.data_directory = options.data_directory, .url = options.url, .token = options.token, .role = "admin"})
            .and_then([&](const ApiClient& client) { return drain(client, options); });
    if (!done) {
        fmt::print(stderr, "muster gateway drain: {}\n", done.error().message());
        return 1;
    }
    return 0;
}

}  // namespace muster
