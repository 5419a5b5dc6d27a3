#include "api/static_files.h"

#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "api/problem.h"
#include "api/query_string.h"

namespace muster {
namespace {

constexpr std::string_view index_path = "index.html";
constexpr std::string_view hashed_folder = "assets/";  ///< names there change with their content

constexpr std::string_view unknown_media_type = "application/octet-stream";

constexpr std::string_view not_built = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Muster</title>
<body style="font-family: system-ui; margin: 4rem auto; max-width: 40rem">
<h1>Muster is running</h1>
<p>The dashboard was not built into this program. Run <code>make web</code>, then build again.</p>
<p>The API is here: <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>, <a href="/readyz">/readyz</a>,
<a href="/metrics">/metrics</a>.</p>
</body>
</html>
)";

// What the dashboard needs and nothing else. 'unsafe-inline' is for style attributes only: scripts come from files.
constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' "
    "data:; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors "
    "'none'";

HttpResponse page(std::string_view path) {
    HttpResponse response;
    response.content_type = media_type_of(path);
    response.headers = {
        {"Content-Security-Policy", std::string(content_security_policy)},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
        {"Vary", "Accept-Encoding"},
        {"Cache-Control", path.starts_with(hashed_folder) ? "public, max-age=31536000, immutable" : "no-cache"}};
    return response;
}

bool takes_gzip(const HttpRequest& request) {
    const auto at = request.accept_encoding.find("gzip");
    // "gzip;q=0" refuses it.
    return at != std::string::npos && request.accept_encoding.compare(at + 4, 4, ";q=0") != 0;
}

/// A path that asks for one file: what is not there must not be answered with a page that is no script and no image.
bool names_a_file(std::string_view path) {
    return path.starts_with(hashed_folder) || media_type_of(path) != unknown_media_type;
}

/// 304 when the client has this very version; true when the answer is complete with it.
bool is_known_to_client(HttpResponse& response, const HttpRequest& request, std::string_view etag) {
    response.headers.emplace_back("ETag", etag);
    if (request.if_none_match.find(etag) == std::string::npos) {
        return false;
    }
    response.status = 304;
    return true;
}

/// The path below the files' root; nullopt when it steps out of it or names what is hidden.
std::optional<std::string> relative_path(std::string_view path) {
    auto decoded = percent_decoded(path, false);
    if (!decoded || decoded->find('\\') != std::string::npos) {
        return std::nullopt;
    }
    std::string out;
    std::string_view rest = *decoded;
    while (!rest.empty()) {
        rest.remove_prefix(1);
        const std::string_view segment = rest.substr(0, rest.find('/'));
        rest.remove_prefix(segment.size());
        if (segment.starts_with('.') || (segment.empty() && !rest.empty())) {
            return std::nullopt;
        }
        out.append(out.empty() ? "" : "/").append(segment);
    }
    return out.empty() ? std::string(index_path) : out;
}

}  // namespace

std::string_view media_type_of(std::string_view path) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 13> types{{
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".webp", "image/webp"},
        {".woff2", "font/woff2"},
        {".woff", "font/woff"},
        {".txt", "text/plain; charset=utf-8"},
        {".webmanifest", "application/manifest+json"},
        {".wasm", "application/wasm"},
    }};
    for (const auto& [ending, type] : types) {
        if (path.ends_with(ending)) {
            return type;
        }
    }
    return unknown_media_type;
}

Result<StaticFiles> StaticFiles::from_directory(std::string directory) {
    struct stat status{};
    if (::stat((directory + "/index.html").c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return fail(ErrorCode::not_found, "api: the web directory has no index.html; run make web",
                    std::move(directory));
    }
    StaticFiles files{std::span<const BundledFile>()};
    files.directory_ = std::move(directory);
    return files;
}

HttpResponse StaticFiles::get(const HttpRequest& request) const {
    if (request.method != "GET" && request.method != "HEAD") {
        HttpResponse response = problem(405, "files can only be read");
        response.headers.emplace_back("Allow", "GET, HEAD");
        return response;
    }
    const auto path = relative_path(request.path);
    if (!path) {
        return problem(404, "there is no such file");
    }
    return directory_.empty() ? bundled(*path, request) : from_disk(*path, request);
}

HttpResponse StaticFiles::bundled(std::string_view path, const HttpRequest& request) const {
    const BundledFile* found = nullptr;
    for (const BundledFile& file : files_) {
        if (file.path == path) {
            found = &file;
        }
    }
    if (found == nullptr && path != index_path) {
        return names_a_file(path) ? problem(404, "there is no such file") : bundled(index_path, request);
    }
    HttpResponse response = page(path);
    if (found == nullptr) {
        response.stable_body = not_built;
        return response;
    }
    if (is_known_to_client(response, request, found->etag)) {
        return response;
    }
    const bool compressed = !found->gzip.empty() && takes_gzip(request);
    response.stable_body = compressed ? found->gzip : found->bytes;
    if (compressed) {
        response.headers.emplace_back("Content-Encoding", "gzip");
    }
    return response;
}

HttpResponse StaticFiles::from_disk(const std::string& path, const HttpRequest& request) const {
    const std::string full = directory_ + "/" + path;
    struct stat status{};
    const bool found = ::stat(full.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
                       status.st_size <= static_cast<off_t>(file_bytes_max);
    if (!found) {
        return names_a_file(path) ? problem(404, "there is no such file") : from_disk(std::string(index_path), request);
    }
    HttpResponse response = page(path);
    const std::string etag =
        fmt::format("\"{:x}-{:x}-{:x}\"", status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_size);
    if (is_known_to_client(response, request, etag)) {
        return response;
    }
    std::ifstream file(full, std::ios::binary);
    response.body.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    return response;
}

}  // namespace muster
