#include "processor/snapshot_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

namespace muster {
namespace {

/// Closes a descriptor at the end of its scope.
class File final {
 public:
    File(const std::string& path, int flags) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0640)) {}
    ~File() {
        if (is_open()) {
            ::close(descriptor_);
        }
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
    [[nodiscard]] bool sync() const { return ::fsync(descriptor_) == 0; }
    [[nodiscard]] bool write(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
            if (written < 0 && errno != EINTR) {
                return false;
            }
            bytes.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
        }
        return true;
    }
    /// False: an error. Appends what there is to the end.
    [[nodiscard]] bool read(std::string& bytes) const {
        char buffer[65536];
        while (true) {
            const ssize_t got = ::read(descriptor_, buffer, sizeof(buffer));
            if (got == 0) {
                return true;
            }
            if (got > 0) {
                bytes.append(buffer, static_cast<std::size_t>(got));
            } else if (errno != EINTR) {
                return false;
            }
        }
    }

 private:
    int descriptor_;
};

tl::unexpected<Error> io_error(std::string_view text, const std::string& path) {
    return fail(ErrorCode::io, text, path + ": " + std::strerror(errno));
}

}  // namespace

Result<void> write_snapshot_file(const std::string& path, std::string_view bytes) {
    const std::string beside = path + ".new";
    const std::string directory = std::filesystem::path(path).parent_path().string();
    {
        const File file(beside, O_WRONLY | O_CREAT | O_TRUNC);
        if (!file.is_open() || !file.write(bytes) || !file.sync()) {
            return io_error("cannot write a snapshot", beside);
        }
    }
    if (::rename(beside.c_str(), path.c_str()) != 0) {
        return io_error("cannot rename a snapshot", path);
    }
    const File parent(directory.empty() ? "." : directory, O_RDONLY | O_DIRECTORY);
    if (!parent.is_open() || !parent.sync()) {
        return io_error("cannot sync a directory", directory);
    }
    return {};
}

Result<std::optional<std::string>> read_snapshot_file(const std::string& path) {
    const File file(path, O_RDONLY);
    if (!file.is_open()) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        return io_error("cannot open a snapshot", path);
    }
    std::string bytes;
    if (!file.read(bytes)) {
        return io_error("cannot read a snapshot", path);
    }
    return bytes;
}

}  // namespace muster
