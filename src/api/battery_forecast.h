#pragma once

#include <string>

#include "history/history_store.h"

namespace muster {

// When a device's battery will be empty, told from its history: GET /devices/{id}/forecast.

/// What to read for it: the last days, one point for ten minutes.
[[nodiscard]] HistoryQuery forecast_query(std::string device, std::string metric, Timestamp now);
/// The answer's body.
[[nodiscard]] std::string forecast_json(const HistoryQuery& query, const HistoryResult& history);

}  // namespace muster
