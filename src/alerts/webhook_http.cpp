#include "alerts/webhook_http.h"

#include <memory>
#include <mutex>

#include <curl/curl.h>
#include <fmt/format.h>

#include "base/assert.h"

namespace muster {
namespace {

std::size_t ignore_body(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
}

int on_progress(void* cancelled, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const std::atomic<bool>*>(cancelled)->load() ? 1 : 0;
}

}  // namespace

WebhookHttp::WebhookHttp() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    curl_ = curl_easy_init();
    MUSTER_ASSERT(curl_ != nullptr);
}

WebhookHttp::~WebhookHttp() {
    curl_easy_cleanup(curl_);
}

Result<unsigned> WebhookHttp::post(const NotificationPost& post) {
    curl_slist* list = curl_slist_append(nullptr, "Content-Type: application/json");
    list = curl_slist_append(list, "Expect:");  // no 100-continue round trip
    for (const auto& [name, value] : post.headers) {
        list = curl_slist_append(list, fmt::format("{}: {}", name, value).c_str());
    }
    const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(list, &curl_slist_free_all);
    curl_easy_reset(curl_);
    curl_easy_setopt(curl_, CURLOPT_URL, post.url.c_str());
    curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl_, CURLOPT_USERAGENT, "muster");
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, post.body.data());
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post.body.size()));
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &ignore_body);
    curl_easy_setopt(curl_, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl_, CURLOPT_XFERINFOFUNCTION, &on_progress);
    curl_easy_setopt(curl_, CURLOPT_XFERINFODATA, &cancelled_);
    const CURLcode code = curl_easy_perform(curl_);
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return fail(ErrorCode::closed, "the notification was cancelled");
    }
    if (code != CURLE_OK) {
        return fail(code == CURLE_OPERATION_TIMEDOUT ? ErrorCode::timed_out : ErrorCode::unavailable,
                    "the receiver of notifications cannot be reached", curl_easy_strerror(code));
    }
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    return static_cast<unsigned>(status);
}

Result<void> check_notification_url(std::string_view url) {
    const std::unique_ptr<CURLU, void (*)(CURLU*)> parsed(curl_url(), &curl_url_cleanup);
    const std::string text(url);
    const bool is_http = url.starts_with("http://") || url.starts_with("https://");
    if (!is_http || curl_url_set(parsed.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
        return fail(ErrorCode::invalid_argument, "must be an http:// or https:// URL", text);
    }
    return {};
}

}  // namespace muster
