#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "shadow/shadow_document.h"
#include "shadow/shadow_turn.h"

namespace muster {

/// Shadow get, update and delete, asked by devices and by the API, and the deltas that devices find when they
/// subscribe. Part of ShadowService; one thread.
class ShadowRequests final {
 public:
    explicit ShadowRequests(ShadowTurn& turn) : turn_(turn) {}

    /// The device published to its own shadow topic.
    void on_publish(const DeviceRequest& request, const ShadowTopic& topic);
    void on_api_request(const DeviceRequest& request, const ShadowTopic& topic);
    /// Sends the delta of every shadow of the device whose update/delta topic the filter covers.
    void on_subscribed(const DeviceRequest& request);
    /// Everything that was to be read has been: sends what is owed to devices whose session has become known.
    void settle(Timestamp now);
    /// The turn is committed: its requests are answered.
    void end_turn() { in_flight_.clear(); }
    void forget(Partition partition);

 private:
    /// The answer to a request, and what its success tells everybody.
    struct Outcome {
        std::uint16_t code = 200;
        std::string body;
        std::optional<ShadowUpdate> update;
    };
    /// A delta for a device whose session is not known (yet).
    struct Owed {
        Partition partition = 0;
        std::string device;
        std::string name;
    };

    [[nodiscard]] Outcome run(const ShadowTopic& topic, std::string_view payload, Timestamp now);
    [[nodiscard]] ShadowResult<Outcome> get(const ShadowTopic& topic, std::string_view payload, std::int64_t now_s);
    [[nodiscard]] ShadowResult<Outcome> update(const ShadowTopic& topic, std::string_view payload, std::int64_t now_s);
    [[nodiscard]] ShadowResult<Outcome> remove(const ShadowTopic& topic, std::string_view payload, std::int64_t now_s);
    [[nodiscard]] ShadowResult<ShadowDocument> load(std::string_view device, std::string_view name);
    void store(const ShadowTopic& topic, const ShadowDocument& document);
    [[nodiscard]] bool one_name_too_many(std::string_view device);

    void tell(Partition partition, const ShadowTopic& topic, const DeviceSession& session, const ShadowUpdate& update);
    void send_delta(Partition partition, std::string_view device, std::string_view name, std::string_view gateway,
                    SessionEpoch epoch, Timestamp now);
    [[nodiscard]] std::vector<std::string> names_covered(std::string_view device, std::string_view filter);

    ShadowTurn& turn_;
    std::unordered_map<std::string, std::size_t> in_flight_;  ///< by device, of this turn
    std::vector<Owed> owed_;
};

}  // namespace muster
