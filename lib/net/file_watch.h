#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace muster::net {

/// Notices that any of some files is another one than before: by its size, inode and time of change. One thread.
class FileWatch final {
 public:
    explicit FileWatch(std::vector<std::string> files);
    /// Since the last call, or since this was made.
    [[nodiscard]] bool has_changed();

 private:
    /// Of one file; all zero while it is not there.
    struct Stamp {
        std::uint64_t inode = 0;
        std::int64_t bytes = 0;
        std::int64_t changed_s = 0;
        std::int64_t changed_ns = 0;
        bool operator==(const Stamp&) const = default;
    };
    [[nodiscard]] std::vector<Stamp> look() const;

    std::vector<std::string> files_;
    std::vector<Stamp> seen_;
};

}  // namespace muster::net
