#pragma once

#include "history/history_store.h"
#include "status/status_store.h"

namespace muster {

// Stores for a processor that feeds only one of its two: a cluster's processors keep no history, and who folds for the
// history shows no status. Nothing is kept, everything is found empty.

class DiscardingStatusStore final : public StatusStore {
 public:
    Result<void> apply(std::span<const StatusDocument>, std::span<const StatusTouch>) override { return {}; }
    [[nodiscard]] Result<std::optional<DeviceStatus>> get(std::string_view) const override { return std::nullopt; }
    [[nodiscard]] Result<DevicePage> list(const DeviceFilter&, std::string_view, std::size_t) const override {
        return DevicePage{};
    }
    [[nodiscard]] Result<RegionCounts> counts(std::string_view) const override { return RegionCounts{}; }
    [[nodiscard]] Result<std::vector<std::pair<std::string, RegionCounts>>> regions() const override {
        return std::vector<std::pair<std::string, RegionCounts>>{};
    }
    [[nodiscard]] std::shared_ptr<void> watch(OnTransition, OnTouch) override { return nullptr; }
    [[nodiscard]] Result<void> checkpoint() override { return {}; }
};

class DiscardingHistoryStore final : public HistoryStore {
 public:
    [[nodiscard]] Result<void> append(std::span<const Sample>) override { return {}; }
    [[nodiscard]] Result<void> append_transition(std::string_view, const Transition&) override { return {}; }
    [[nodiscard]] Result<void> checkpoint() override { return {}; }
    [[nodiscard]] Result<HistoryResult> query(const HistoryQuery&) const override { return HistoryResult{}; }
    using HistoryStore::transitions;
    [[nodiscard]] Result<std::vector<Transition>> transitions(const TransitionQuery&) const override {
        return std::vector<Transition>{};
    }
};

}  // namespace muster
