#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/bundled_file.h"
#include "api/http_message.h"
#include "base/result.h"

namespace muster {

/// The dashboard's files, from a directory (read at each request: for work on the dashboard) or from those embedded in
/// the program. An unknown path is the dashboard's own, and gets index.html. Any thread.
class StaticFiles final {
 public:
    static constexpr std::size_t file_bytes_max = 16U << 20U;

    explicit StaticFiles(std::span<const BundledFile> files) : files_(files) {}
    /// not_found: there is no index.html in it.
    [[nodiscard]] static Result<StaticFiles> from_directory(std::string directory);

    [[nodiscard]] HttpResponse get(const HttpRequest& request) const;

 private:
    [[nodiscard]] HttpResponse bundled(std::string_view path, const HttpRequest& request) const;
    [[nodiscard]] HttpResponse from_disk(const std::string& path, const HttpRequest& request) const;

    std::span<const BundledFile> files_;
    std::string directory_;
};

/// The content type for a file's name.
[[nodiscard]] std::string_view media_type_of(std::string_view path);

}  // namespace muster
