#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

/// One frame of the live stream, made once and shared by every session that gets it.
using Frame = std::shared_ptr<const std::string>;

/// What a live session can follow, apart from single devices.
enum class LiveTopic : std::uint8_t { fleet, regions, changes, alerts };
inline constexpr std::size_t live_topic_count = 4;

[[nodiscard]] std::optional<LiveTopic> live_topic_from(std::string_view name);

/// The frames that wait for one session's reader. Bounded however slow it reads: the latest fleet, regions and device
/// frames replace those before them; of alerts and changes the oldest are dropped. Not thread-safe.
class LiveOutbox final {
 public:
    static constexpr std::size_t control_max = 8;
    static constexpr std::size_t alerts_max = 64;
    static constexpr std::size_t changes_max = 4;  ///< frames, each of at most 50 items
    static constexpr std::size_t devices_max = 16;

    // Each returns how many waiting frames it replaced or dropped: 0 or 1.
    std::size_t put_control(Frame frame);
    std::size_t put(LiveTopic topic, Frame frame);
    std::size_t put_device(const std::string& id, Frame frame);
    void forget(LiveTopic topic);
    void forget_device(const std::string& id);

    /// Control first, then alerts, changes, the fleet, regions, devices; null when nothing waits.
    [[nodiscard]] Frame next();

 private:
    static Frame take_front(std::deque<Frame>& queue);

    std::deque<Frame> control_;
    std::deque<Frame> alerts_;
    std::deque<Frame> changes_;
    Frame fleet_;
    Frame regions_;
    std::map<std::string, Frame> devices_;
};

}  // namespace muster
