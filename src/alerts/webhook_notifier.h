#pragma once

#include <deque>
#include <map>
#include <set>

#include "alerts/notifier.h"

namespace muster {

struct WebhookOptions {
    std::string url;
    std::string secret;             ///< empty: not signed
    std::size_t queue_max = 1024;   ///< notifications not yet delivered; over it the oldest goes
    std::size_t attempts_max = 12;  ///< about ten minutes, then a notification is given up
    Millis back_off_first{1000};    ///< doubled at each attempt …
    Millis back_off_max{60'000};    ///< … up to this
};

/// Posts {"event":"opened|escalated|widened|resolved","delivery":…,"incident":{…}} once for each, in order; what is not
/// answered 2xx is sent again (the same delivery id), but 4xx other than 408 and 429 is an answer. Signed as
/// `X-Muster-Signature: t=<epoch s>,v1=<hex HMAC-SHA256 of "t.body" under the secret>`, so that a receiver can refuse
/// what is forged or old. What was delivered is marked, and what an earlier run did not deliver is told again from the
/// incident as it is now: at least once, whatever is killed.
class WebhookNotifier final : public Notifier {
 public:
    explicit WebhookNotifier(WebhookOptions options) : options_(std::move(options)) {}

    void restore(const NotificationMark& mark) override;
    [[nodiscard]] std::vector<NotificationMark> take_marks() override;
    void on_incident(const Incident& incident, bool adopted, Millis now) override;
    [[nodiscard]] std::optional<NotificationPost> next(Millis now, Timestamp wall) override;
    void on_answer(const Result<unsigned>& status, Millis now) override;
    [[nodiscard]] std::optional<Millis> due() const override;
    [[nodiscard]] NotifierCounts counts() const override;

 private:
    struct Delivery {
        std::string id;
        std::string body;
        NotificationMark mark;
    };
    /// What was said last of an open incident, or is about to be.
    struct Told {
        std::string severity;
        std::string region;
    };
    void push(std::string_view event, const Incident& incident);

    const WebhookOptions options_;
    std::map<std::string, Told> told_;
    std::deque<Delivery> waiting_;
    std::vector<NotificationMark> marks_;  ///< bounded by who takes them once a round
    std::size_t attempts_ = 0;             ///< of the first in the queue
    Millis due_{0};
    bool under_way_ = false;
    NotifierCounts counts_;
};

/// Lower-case hex of HMAC-SHA256.
[[nodiscard]] std::string hmac_sha256_hex(std::string_view key, std::string_view message);

}  // namespace muster
