#pragma once

#include <atomic>

#include "alerts/notifier.h"
#include "base/result.h"

namespace muster {

/// Does one POST at a time, over HTTP or HTTPS (the server's certificate is verified against the system's), through
/// libcurl. One thread, apart from cancel(). Redirects are not followed: a signed body goes where it was meant to go.
class WebhookHttp final {
 public:
    static constexpr Millis timeout{10'000};  ///< of the whole exchange

    WebhookHttp();
    ~WebhookHttp();
    WebhookHttp(const WebhookHttp&) = delete;
    WebhookHttp& operator=(const WebhookHttp&) = delete;

    /// The HTTP status. unavailable: the receiver cannot be reached, or does not speak HTTP; timed_out; closed:
    /// cancelled.
    [[nodiscard]] Result<unsigned> post(const NotificationPost& post);
    /// Ends a post under way, and each one after it, at once. Any thread.
    void cancel() { cancelled_ = true; }

 private:
    void* curl_;
    std::atomic<bool> cancelled_{false};
};

/// invalid_argument: not an http:// or https:// URL with a host.
[[nodiscard]] Result<void> check_notification_url(std::string_view url);

}  // namespace muster
