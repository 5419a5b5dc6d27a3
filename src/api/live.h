#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "api/device_queries.h"
#include "api/fleet_queries.h"
#include "api/live_session.h"
#include "base/metrics.h"
#include "base/time.h"
#include "contract/incident.h"
#include "status/status_store.h"

namespace muster {

struct LiveOptions {
    std::size_t sessions_max = 4096;
    std::string version;
};

/// The live stream (/api/v1/live). Transitions come in from the status store's writers, incidents from their feed;
/// tick(), every 100 ms from the api's pacing thread, turns them into frames, each made once, and offers them to the
/// sessions that follow them. What is not followed by anybody costs one atomic read.
class LiveStream final {
 public:
    static constexpr Millis tick_interval{100};
    static constexpr Millis slow_interval{1000};   ///< between two fleet frames, and two regions frames
    static constexpr Millis device_interval{250};  ///< between two frames of one device
    static constexpr std::size_t changes_per_frame = 50;
    static constexpr std::size_t changes_kept_max = 4096;   ///< of one tick; more are only counted
    static constexpr std::size_t incidents_kept_max = 256;  ///< of one tick

    LiveStream(LiveOptions options, FleetQueries& fleet, const DeviceQueries& devices, MetricRegistry& metrics,
               const Clock& clock);

    // From the writers of what is shown; they copy and return.
    void on_transition(const StatusDocument& document);
    void on_touch(const StatusTouch& touch);
    void on_incident(const Incident& incident);

    /// Makes and offers what is due. One thread.
    void tick();

    /// A session for a new connection; null when there are sessions_max.
    [[nodiscard]] std::shared_ptr<LiveSession> open();

    // For LiveSession.
    void add(std::shared_ptr<LiveSession> session);
    void remove(const std::shared_ptr<LiveSession>& session);
    void count_followers(LiveTopic topic, int change);
    void follow_device(const std::string& id, const std::shared_ptr<LiveSession>& session);
    void unfollow_device(const std::string& id, const LiveSession& session);
    [[nodiscard]] std::string hello() const;
    /// What a new follower is shown at once; null: nothing.
    [[nodiscard]] Frame current(LiveTopic topic);
    [[nodiscard]] Frame current_device(const std::string& id) const;

 private:
    struct Change {
        StatusDocument document;
        Timestamp time{};
    };
    struct FollowedDevice {
        std::vector<std::shared_ptr<LiveSession>> sessions;
        bool changed = false;
        Millis sent{-device_interval};
    };
    struct IdHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view id) const { return std::hash<std::string_view>{}(id); }
    };
    /// A frame that is made at most once a slow_interval.
    struct SlowFrame {
        std::mutex mutex;
        Frame frame;          // under mutex
        std::string content;  // under mutex: what decides whether it has changed
        Millis made{-slow_interval};
    };

    [[nodiscard]] bool has_followers(LiveTopic topic) const { return followers_[static_cast<std::size_t>(topic)] > 0; }
    [[nodiscard]] std::vector<std::shared_ptr<LiveSession>> sessions() const;
    [[nodiscard]] Frame make_fleet();
    [[nodiscard]] Frame make_regions(std::string_view array) const;
    [[nodiscard]] Frame make_changes(const std::vector<Change>& changes, std::size_t seen);
    void mark_changed(std::string_view id);
    void tick_changes();
    void tick_fleet(Millis now);
    void tick_regions(Millis now);
    void tick_incidents();
    void tick_devices(Millis now);
    void offer(LiveTopic topic, const Frame& frame);

    const LiveOptions options_;
    FleetQueries& fleet_;
    const DeviceQueries& devices_;
    const Clock& clock_;

    std::array<std::atomic<int>, live_topic_count> followers_{};
    std::atomic<std::size_t> followed_devices_{0};

    mutable std::mutex sessions_mutex_;
    std::unordered_set<std::shared_ptr<LiveSession>> sessions_;  // under sessions_mutex_, at most sessions_max

    std::mutex incoming_mutex_;
    std::vector<Change> changes_;   // under incoming_mutex_, at most changes_kept_max
    std::size_t changes_seen_ = 0;  // under incoming_mutex_
    std::vector<Frame> incidents_;  // under incoming_mutex_, at most incidents_kept_max
    std::unordered_map<std::string, FollowedDevice, IdHash, std::equal_to<>> followed_;  // under incoming_mutex_

    SlowFrame fleet_frame_;
    SlowFrame regions_frame_;
    std::array<std::size_t, slow_interval / tick_interval> recent_{};  ///< changes seen in each of the last ticks
    std::size_t ticks_ = 0;

    Gauge& session_gauge_;
    Counter& refused_;
    Counter& coalesced_;
    Counter& unsampled_;
};

}  // namespace muster
