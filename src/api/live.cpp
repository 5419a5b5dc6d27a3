#include "api/live.h"

#include <numeric>

#include "api/json_writer.h"
#include "base/log.h"

namespace muster {
namespace {

Frame frame_of(std::string_view type, std::string_view json) {
    return std::make_shared<const std::string>(fmt::format(R"({{"type":"{}","data":{}}})", type, json));
}

void write_change(JsonWriter& writer, const StatusDocument& document, Timestamp time) {
    writer.begin_object()
        .member("time", time)
        .member("id", document.id)
        .member("state", name_of(document.state))
        .member("cause", name_of(document.cause))
        .member("region", document.attributes.region)
        .member("gateway", document.gateway)
        .key("overlays")
        .raw(overlays_json(document.overlays))
        .member("previous", name_of(document.previous))
        .member("detected_in_ms", document.detected_in_ms)
        .end_object();
}

}  // namespace

LiveStream::LiveStream(LiveOptions options, FleetQueries& fleet, const DeviceQueries& devices, MetricRegistry& metrics,
                       const Clock& clock)
    : options_(std::move(options)),
      fleet_(fleet),
      devices_(devices),
      clock_(clock),
      session_gauge_(metrics.gauge("muster_api_live_sessions", "WebSocket sessions of the live stream.")),
      refused_(
          metrics.counter("muster_api_live_sessions_refused_total", "Live sessions refused at live_sessions_max.")),
      coalesced_(metrics.counter("muster_api_frames_coalesced_total",
                                 "Frames replaced or dropped before a slow reader took them.")),
      unsampled_(metrics.counter("muster_api_changes_unsampled_total",
                                 "Transitions that the live stream counted but did not show.")) {}

void LiveStream::on_transition(const StatusDocument& document) {
    mark_changed(document.id);
    // Without a change of state or an overlay it was an attribute or a new session of a device that is there: no news.
    const bool is_news = document.state != document.previous || document.overlays != 0;
    if (!is_news || !has_followers(LiveTopic::changes)) {
        return;
    }
    const Timestamp time = document.state == document.previous ? clock_.now() : document.since;
    const std::lock_guard lock(incoming_mutex_);
    ++changes_seen_;
    if (changes_.size() < changes_kept_max) {
        changes_.push_back({document, time});
    }
}

void LiveStream::on_touch(const StatusTouch& touch) {
    mark_changed(touch.id);
}

void LiveStream::mark_changed(std::string_view id) {
    if (followed_devices_ == 0) {
        return;
    }
    const std::lock_guard lock(incoming_mutex_);
    if (const auto found = followed_.find(id); found != followed_.end()) {
        found->second.changed = true;
    }
}

void LiveStream::on_incident(const Incident& incident) {
    if (!has_followers(LiveTopic::alerts)) {
        return;
    }
    Frame frame = frame_of("alert", to_json(incident));
    const std::lock_guard lock(incoming_mutex_);
    if (incidents_.size() < incidents_kept_max) {
        incidents_.push_back(std::move(frame));
    } else {
        coalesced_.Increment();
    }
}

std::shared_ptr<LiveSession> LiveStream::open() {
    const std::lock_guard lock(sessions_mutex_);
    if (sessions_.size() >= options_.sessions_max) {
        refused_.Increment();
        return nullptr;
    }
    return std::make_shared<LiveSession>(*this);
}

void LiveStream::add(std::shared_ptr<LiveSession> session) {
    const std::lock_guard lock(sessions_mutex_);
    sessions_.insert(std::move(session));
    session_gauge_.Set(static_cast<double>(sessions_.size()));
}

void LiveStream::remove(const std::shared_ptr<LiveSession>& session) {
    for (std::size_t i = 0; i < live_topic_count; ++i) {
        const auto topic = static_cast<LiveTopic>(i);
        if (session->follows(topic)) {
            count_followers(topic, -1);
        }
    }
    for (const std::string& id : session->take_devices()) {
        unfollow_device(id, *session);
    }
    const std::lock_guard lock(sessions_mutex_);
    sessions_.erase(session);
    session_gauge_.Set(static_cast<double>(sessions_.size()));
}

void LiveStream::count_followers(LiveTopic topic, int change) {
    followers_[static_cast<std::size_t>(topic)] += change;
}

void LiveStream::follow_device(const std::string& id, const std::shared_ptr<LiveSession>& session) {
    const std::lock_guard lock(incoming_mutex_);
    auto& sessions = followed_[id].sessions;
    if (std::find(sessions.begin(), sessions.end(), session) == sessions.end()) {
        sessions.push_back(session);
    }
    followed_devices_ = followed_.size();
}

void LiveStream::unfollow_device(const std::string& id, const LiveSession& session) {
    const std::lock_guard lock(incoming_mutex_);
    const auto found = followed_.find(id);
    if (found == followed_.end()) {
        return;
    }
    std::erase_if(found->second.sessions, [&](const auto& candidate) { return candidate.get() == &session; });
    if (found->second.sessions.empty()) {
        followed_.erase(found);
    }
    followed_devices_ = followed_.size();
}

std::string LiveStream::hello() const {
    std::string text;
    JsonWriter(text)
        .begin_object()
        .member("type", "hello")
        .member("version", options_.version)
        .member("time", clock_.now())
        .end_object();
    return text;
}

std::vector<std::shared_ptr<LiveSession>> LiveStream::sessions() const {
    const std::lock_guard lock(sessions_mutex_);
    return {sessions_.begin(), sessions_.end()};
}

void LiveStream::offer(LiveTopic topic, const Frame& frame) {
    std::size_t gave_way = 0;
    for (const auto& session : sessions()) {
        if (session->follows(topic)) {
            gave_way += session->offer(topic, frame);
        }
    }
    coalesced_.Increment(static_cast<double>(gave_way));
}

Frame LiveStream::make_fleet() {
    const auto body = fleet_.fleet();
    return body ? frame_of("fleet", *body) : nullptr;
}

Frame LiveStream::make_regions(std::string_view array) const {
    return frame_of("regions", fleet_.regions_body(array));
}

Frame LiveStream::current(LiveTopic topic) {
    if (topic != LiveTopic::fleet && topic != LiveTopic::regions) {
        return nullptr;
    }
    SlowFrame& slow = topic == LiveTopic::fleet ? fleet_frame_ : regions_frame_;
    {
        const std::lock_guard lock(slow.mutex);
        if (slow.frame != nullptr && clock_.monotonic() - slow.made < slow_interval) {
            return slow.frame;
        }
    }
    if (topic == LiveTopic::fleet) {
        return make_fleet();
    }
    const auto array = fleet_.regions_array();
    return array ? make_regions(*array) : nullptr;
}

Frame LiveStream::current_device(const std::string& id) const {
    const auto body = devices_.device(id);
    if (!body || !*body) {
        return nullptr;
    }
    std::string text;
    JsonWriter(text).begin_object().member("type", "device").member("id", id).key("data").raw(**body).end_object();
    return std::make_shared<const std::string>(std::move(text));
}

void LiveStream::tick() {
    const Millis now = clock_.monotonic();
    tick_changes();
    tick_incidents();
    tick_fleet(now);
    tick_regions(now);
    tick_devices(now);
}

void LiveStream::tick_changes() {
    std::vector<Change> changes;
    std::size_t seen = 0;
    {
        const std::lock_guard lock(incoming_mutex_);
        changes.swap(changes_);
        seen = std::exchange(changes_seen_, 0);
    }
    recent_[ticks_++ % recent_.size()] = seen;
    if (seen != 0) {
        offer(LiveTopic::changes, make_changes(changes, seen));
    }
}

Frame LiveStream::make_changes(const std::vector<Change>& changes, std::size_t seen) {
    const std::size_t stride = (changes.size() + changes_per_frame - 1) / changes_per_frame;
    const std::size_t shown = (changes.size() + stride - 1) / stride;
    std::string text;
    JsonWriter writer(text);
    writer.begin_object().member("type", "changes").key("data").begin_array();
    for (std::size_t i = 0; i < changes.size(); i += stride) {
        write_change(writer, changes[i].document, changes[i].time);
    }
    writer.end_array()
        .member("sampled", (seen + shown - 1) / shown)
        .member("rate", static_cast<double>(std::accumulate(recent_.begin(), recent_.end(), std::size_t{0})))
        .end_object();
    unsampled_.Increment(static_cast<double>(seen - shown));
    return std::make_shared<const std::string>(std::move(text));
}

void LiveStream::tick_incidents() {
    std::vector<Frame> frames;
    {
        const std::lock_guard lock(incoming_mutex_);
        frames.swap(incidents_);
    }
    for (const Frame& frame : frames) {
        offer(LiveTopic::alerts, frame);
    }
}

void LiveStream::tick_fleet(Millis now) {
    if (!has_followers(LiveTopic::fleet) || now - fleet_frame_.made < slow_interval) {
        return;
    }
    const Frame frame = make_fleet();
    {
        const std::lock_guard lock(fleet_frame_.mutex);
        fleet_frame_.made = now;
        fleet_frame_.frame = frame;
    }
    if (frame != nullptr) {
        offer(LiveTopic::fleet, frame);
    }
}

void LiveStream::tick_regions(Millis now) {
    if (!has_followers(LiveTopic::regions) || now - regions_frame_.made < slow_interval) {
        return;
    }
    auto array = fleet_.regions_array();
    Frame frame = array ? make_regions(*array) : nullptr;
    bool changed = false;
    {
        const std::lock_guard lock(regions_frame_.mutex);
        regions_frame_.made = now;
        changed = array && *array != regions_frame_.content;
        if (array) {
            regions_frame_.content = std::move(*array);
        }
        regions_frame_.frame = frame;
    }
    if (changed) {
        offer(LiveTopic::regions, frame);
    }
}

void LiveStream::tick_devices(Millis now) {
    if (followed_devices_ == 0) {
        return;
    }
    std::vector<std::pair<std::string, std::vector<std::shared_ptr<LiveSession>>>> due;
    {
        const std::lock_guard lock(incoming_mutex_);
        for (auto& [id, device] : followed_) {
            if (device.changed && now - device.sent >= device_interval) {
                device.changed = false;
                device.sent = now;
                due.emplace_back(id, device.sessions);
            }
        }
    }
    for (const auto& [id, sessions] : due) {
        const Frame frame = current_device(id);
        for (const auto& session : sessions) {
            if (frame != nullptr) {
                coalesced_.Increment(static_cast<double>(session->offer_device(id, frame)));
            }
        }
    }
}

}  // namespace muster
