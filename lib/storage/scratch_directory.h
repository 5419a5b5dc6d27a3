#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/assert.h"

namespace muster {

/// A new directory under the system's temporary directory, removed with all that is in it. For tests and benchmarks.
class ScratchDirectory final {
 public:
    ScratchDirectory() : path_((std::filesystem::temp_directory_path() / "muster-XXXXXX").string()) {
        MUSTER_ASSERT(::mkdtemp(path_.data()) != nullptr);
    }
    ~ScratchDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

 private:
    std::string path_;
};

}  // namespace muster
