#pragma once

#include <string>

#include "api/api_client.h"
#include "base/result.h"

namespace muster {

/// A client of the `muster serve` that has this data directory, by what it left there. unavailable: none is running.
[[nodiscard]] Result<ApiClient> client_of(const std::string& data_directory);

}  // namespace muster
