#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "contract/alert_rule.h"

namespace muster {

/// The rules of a file: TOML with a [[rule]] table for each, or, when its name ends in .json, {"rules":[…]} as the API
/// lists them. not_found, malformed, invalid_argument: in a sentence that names the file and the rule.
[[nodiscard]] Result<std::vector<AlertRule>> read_rules_file(const std::string& path);

}  // namespace muster
