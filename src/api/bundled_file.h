#pragma once

#include <span>
#include <string_view>

namespace muster {

/// One file that cmake/embed_files.cmake built into the program.
struct BundledFile {
    std::string_view path;  ///< relative, such as "assets/index.js"
    std::string_view etag;  ///< with its quotes
    std::string_view bytes;
    std::string_view gzip;  ///< the same compressed; may be empty
};

/// The dashboard, empty when it was not built before the program was.
[[nodiscard]] std::span<const BundledFile> bundled_web();
/// openapi.json.
[[nodiscard]] std::span<const BundledFile> bundled_openapi();

}  // namespace muster
