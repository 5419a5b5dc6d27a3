#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace muster {

/// Replaces the file with these bytes so that after a crash at any instant it has either the old or the new ones,
/// whole: written beside it, synced, renamed. io: the operating system's words.
[[nodiscard]] Result<void> write_snapshot_file(const std::string& path, std::string_view bytes);
/// nullopt: there is none.
[[nodiscard]] Result<std::optional<std::string>> read_snapshot_file(const std::string& path);

}  // namespace muster
