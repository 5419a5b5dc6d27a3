#include "alerts/webhook_notifier.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace muster {
namespace {

/// An answer that another attempt would not change.
bool is_final_refusal(unsigned status) {
    return status >= 400 && status < 500 && status != 408 && status != 429;
}

}  // namespace

std::string hmac_sha256_hex(std::string_view key, std::string_view message) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(message.data()),
         message.size(), digest.data(), &size);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        fmt::format_to(std::back_inserter(hex), "{:02x}", digest[i]);
    }
    return hex;
}

void WebhookNotifier::push(std::string_view event, const Incident& incident) {
    if (waiting_.size() >= options_.queue_max) {
        // The one under way may be the first: its answer must find it.
        waiting_.erase(waiting_.begin() + (under_way_ && waiting_.size() > 1 ? 1 : 0));
        ++counts_.dropped;
    }
    Delivery delivery;
    delivery.id = fmt::format("{}:{}:{}", incident.id, event,
                              incident.timeline.empty() ? 0 : to_epoch_ms(incident.timeline.back().time));
    delivery.body =
        fmt::format(R"({{"event":"{}","delivery":"{}","incident":{}}})", event, delivery.id, to_json(incident));
    delivery.mark = {incident.id, incident.severity, incident.region, !incident.open};
    waiting_.push_back(std::move(delivery));
}

void WebhookNotifier::restore(const NotificationMark& mark) {
    told_.insert_or_assign(mark.incident, Told{mark.severity, mark.region});
}

std::vector<NotificationMark> WebhookNotifier::take_marks() {
    return std::exchange(marks_, {});
}

void WebhookNotifier::on_incident(const Incident& incident, bool adopted, Millis now) {
    if (waiting_.empty()) {
        due_ = now;
    }
    const auto found = told_.find(incident.id);
    if (!incident.open) {
        if (found != told_.end() || !adopted) {
            push("resolved", incident);
        }
        told_.erase(incident.id);
        return;
    }
    if (found == told_.end()) {
        told_.emplace(incident.id, Told{incident.severity, incident.region});
        push("opened", incident);  // of an adopted one: no run before this has delivered it
        return;
    }
    Told& told = found->second;
    if (told.severity != incident.severity) {
        push("escalated", incident);
    } else if (told.region != incident.region) {
        push("widened", incident);
    }
    told = {incident.severity, incident.region};
}

std::optional<NotificationPost> WebhookNotifier::next(Millis now, Timestamp wall) {
    if (waiting_.empty() || now < due_) {
        return std::nullopt;
    }
    const Delivery& delivery = waiting_.front();
    NotificationPost post{options_.url, {{"X-Muster-Delivery", delivery.id}}, delivery.body};
    if (!options_.secret.empty()) {
        const std::int64_t time_s = to_epoch_ms(wall) / 1000;
        post.headers.emplace_back(
            "X-Muster-Signature",
            fmt::format("t={},v1={}", time_s,
                        hmac_sha256_hex(options_.secret, fmt::format("{}.{}", time_s, delivery.body))));
    }
    under_way_ = true;
    return post;
}

void WebhookNotifier::on_answer(const Result<unsigned>& status, Millis now) {
    under_way_ = false;
    ++attempts_;
    const bool delivered = status && *status >= 200 && *status < 300;
    if (!delivered && attempts_ < options_.attempts_max && !(status && is_final_refusal(*status))) {
        ++counts_.retried;
        const auto doubled = options_.back_off_first * (std::int64_t{1} << std::min<std::size_t>(attempts_ - 1, 20));
        due_ = now + std::min<Millis>(doubled, options_.back_off_max);
        return;
    }
    ++(delivered ? counts_.delivered : counts_.given_up);
    marks_.push_back(std::move(waiting_.front().mark));
    waiting_.pop_front();
    attempts_ = 0;
    due_ = now;
}

std::optional<Millis> WebhookNotifier::due() const {
    return waiting_.empty() ? std::nullopt : std::optional(due_);
}

NotifierCounts WebhookNotifier::counts() const {
    NotifierCounts counts = counts_;
    counts.waiting = waiting_.size();
    return counts;
}

}  // namespace muster
