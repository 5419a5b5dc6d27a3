#include "history/history_store.h"

#include <array>

namespace muster {
namespace {

constexpr std::array<std::string_view, 3> resolution_names{"raw", "1m", "1h"};
constexpr std::array<std::string_view, 3> disk_state_names{"ample", "warning", "full"};

tl::unexpected<Error> unsupported() {
    return fail(ErrorCode::unsupported, "this history store cannot answer that");
}

}  // namespace

std::string_view name_of(Resolution resolution) {
    return resolution_names[static_cast<std::size_t>(resolution)];
}

std::optional<Resolution> resolution_from(std::string_view name) {
    for (std::size_t i = 0; i < resolution_names.size(); ++i) {
        if (resolution_names[i] == name) {
            return static_cast<Resolution>(i);
        }
    }
    return std::nullopt;
}

std::string_view name_of(HistoryDisk::State state) {
    return disk_state_names[static_cast<std::size_t>(state)];
}

Result<void> HistoryStore::presence_at(Timestamp /*at*/, std::string_view /*after*/,
                                       PastPresenceVisitor /*visit*/) const {
    return unsupported();
}

std::optional<Timestamp> HistoryStore::presence_since() const {
    return std::nullopt;
}

Result<FleetSeries> HistoryStore::fleet_series(const FleetQuery& /*query*/) const {
    return unsupported();
}

Result<TopResult> HistoryStore::top(const TopQuery& /*query*/) const {
    return unsupported();
}

Result<ScanResult> HistoryStore::scan(const ScanQuery& /*query*/, SampleVisitor /*visit*/) const {
    return unsupported();
}

Result<HistoryCheck> HistoryStore::verify(FunctionRef<bool(std::uint64_t)> /*go_on*/) const {
    return unsupported();
}

Result<HistoryDisk> HistoryStore::disk() const {
    return unsupported();
}

}  // namespace muster
