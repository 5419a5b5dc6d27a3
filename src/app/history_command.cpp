#include "app/history_command.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

#include "app/process.h"
#include "app/running_server.h"
#include "base/time.h"
#include "contract/json.h"
#include "net/system_clock.h"

namespace muster {
namespace {

constexpr Millis progress_interval{1000};
constexpr std::size_t line_bytes_max = 1U << 20U;

/// Says on standard error, at most once a second, how far it has come: over itself on a terminal, else line by line.
class Progress final {
 public:
    explicit Progress(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}

    void tell(const std::string& text) {
        const Millis now = clock_.monotonic();
        if (quiet_ || now - told_ < progress_interval) {
            return;
        }
        told_ = now;
        told_once_ = true;
        fmt::print(stderr, "{}{}{}", terminal_ ? "\r\x1b[K" : "", text, terminal_ ? "" : "\n");
        std::fflush(stderr);
    }
    void end(const std::string& text) {
        if (quiet_) {
            return;
        }
        fmt::print(stderr, "{}{}\n", terminal_ && told_once_ ? "\r\x1b[K" : "", text);
    }

 private:
    const bool quiet_;
    const bool terminal_;
    net::SystemClock clock_;
    Millis told_ = clock_.monotonic();
    bool told_once_ = false;
};

/// Where an export goes: standard output, or a file that bears its name once it is whole.
class ExportFile final {
 public:
    explicit ExportFile(const std::string& path) : path_(path), temporary_(path.empty() ? "" : path + ".new") {}
    ~ExportFile() {
        if (file_ != nullptr && file_ != stdout) {
            std::fclose(file_);
            std::remove(temporary_.c_str());
        }
    }
    ExportFile(const ExportFile&) = delete;
    ExportFile& operator=(const ExportFile&) = delete;

    Result<void> open() {
        file_ = path_.empty() ? stdout : std::fopen(temporary_.c_str(), "wb");
        return file_ == nullptr ? failed() : Result<void>();
    }
    Result<void> write(std::string_view bytes) {
        return std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size() ? Result<void>() : failed();
    }
    Result<void> close() {
        if (file_ == stdout) {
            return std::fflush(stdout) == 0 ? Result<void>() : failed();
        }
        const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
        if (!closed || std::rename(temporary_.c_str(), path_.c_str()) != 0) {
            auto problem = failed();
            std::remove(temporary_.c_str());
            return problem;
        }
        return {};
    }

 private:
    [[nodiscard]] Result<void> failed() const {
        return fail(ErrorCode::io, "cannot write",
                    fmt::format("{}: {}", path_.empty() ? "standard output" : path_, std::strerror(errno)));
    }

    const std::string path_;
    const std::string temporary_;
    std::FILE* file_ = nullptr;
};

int complain(std::string_view command, const Error& error) {
    fmt::print(stderr, "muster history {}: {}\n", command, error.message());
    return 1;
}

std::string amount(std::uint64_t bytes) {
    return bytes < 10'000'000 ? fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3)
                              : fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

ApiClient::Query query_of(const HistoryExportOptions& options) {
    ApiClient::Query query{{"format", options.csv ? "csv" : "ndjson"},
                           {"kind", options.transitions ? "transitions" : "samples"},
                           {"from", options.from}};
    const auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) {
            query.emplace_back(name, value);
        }
    };
    add("to", options.to);
    add("device", options.device);
    add("region", options.region);
    return query;
}

/// What the lines of a check say: progress, then the result.
class CheckReader final {
 public:
    explicit CheckReader(Progress& progress) : progress_(progress) {}

    Result<void> take(std::string_view bytes) {
        line_.append(bytes);
        for (auto end = line_.find('\n'); end != std::string::npos; end = line_.find('\n')) {
            auto read = json::parse_object(std::string_view(line_).substr(0, end));
            if (!read) {
                return tl::unexpected(read.error());
            }
            line_.erase(0, end + 1);
            take_line(std::move(*read));
        }
        return line_.size() > line_bytes_max ? fail(ErrorCode::too_large, "the server's line is too long")
                                             : Result<void>();
    }
    [[nodiscard]] const std::optional<boost::json::object>& result() const { return result_; }

 private:
    void take_line(boost::json::object line) {
        std::uint64_t checked = 0;
        if (line.contains("ok")) {
            result_ = std::move(line);
        } else if (json::read(line, "checked", checked)) {
            progress_.tell(fmt::format("checked {} blocks", checked));
        }
    }

    Progress& progress_;
    std::string line_;
    std::optional<boost::json::object> result_;
};

std::uint64_t number_in(const boost::json::object& object, std::string_view name) {
    std::uint64_t value = 0;
    (void)json::read(object, name, value);
    return value;
}

}  // namespace

int run_history_export(const HistoryExportOptions& options) {
    release_signals();
    Progress progress(options.quiet);
    ExportFile file(options.out);
    std::uint64_t bytes = 0;
    std::uint64_t lines = 0;
    const auto took = [&] {
        const std::uint64_t rows = lines - (options.csv && lines > 0 ? 1 : 0);
        return fmt::format("{} {}, {}", rows,
                           options.transitions ? "transitions"
                           : options.csv       ? "values"
                                               : "samples",
                           amount(bytes));
    };
    const auto client = client_of({.data_directory = options.data_directory});
    auto done = client ? file.open() : tl::unexpected(client.error());
    if (done) {
        done = client->get("/api/v1/history/export", query_of(options), [&](std::string_view piece) {
            bytes += piece.size();
            lines += static_cast<std::uint64_t>(std::count(piece.begin(), piece.end(), '\n'));
            progress.tell("exported " + took());
            return file.write(piece);
        });
    }
    if (done) {
        done = file.close();
    }
    if (!done) {
        return complain("export", done.error());
    }
    progress.end("exported " + took() + (options.out.empty() ? "" : " to " + options.out));
    return 0;
}

int run_history_verify(const HistoryVerifyOptions& options) {
    release_signals();
    Progress progress(options.quiet);
    CheckReader reader(progress);
    const auto done = client_of({.data_directory = options.data_directory}).and_then([&](const ApiClient& client) {
        return client.get("/api/v1/history/check", {}, [&](std::string_view piece) { return reader.take(piece); });
    });
    if (!done) {
        return complain("verify", done.error());
    }
    if (!reader.result()) {
        return complain("verify", {ErrorCode::closed, "the server did not say what it found", {}});
    }
    const boost::json::object& found = *reader.result();
    progress.end(fmt::format("{} chunks with {} samples, {} rollup chunks, {} transitions, {} baseline devices",
                             number_in(found, "chunks"), number_in(found, "samples"), number_in(found, "rollups"),
                             number_in(found, "transitions"), number_in(found, "baseline_devices")));
    const std::uint64_t damaged = number_in(found, "damaged");
    if (damaged == 0) {
        fmt::print("The history is sound.\n");
        return 0;
    }
    fmt::print("{} stored rows are damaged:\n", damaged);
    if (const auto* examples = found.if_contains("examples"); examples != nullptr && examples->is_array()) {
        for (const auto& example : examples->as_array()) {
            fmt::print("  {}\n", example.is_string() ? std::string(example.as_string()) : "");
        }
    }
    return 1;
}

}  // namespace muster
