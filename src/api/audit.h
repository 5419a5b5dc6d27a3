#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"

namespace muster {

/// One change that somebody asked for, done or refused.
struct AuditEntry {
    Timestamp time{};
    std::string_view token;   ///< name of the token; empty: none that is known
    std::string_view action;  ///< "shadow.update", "command.create", …
    std::string_view device;
    std::string_view detail;  ///< the command's name and the like; may be empty
    unsigned result = 0;      ///< HTTP status
};

/// Appends one JSON line an entry to a file that nothing here ever shortens; whoever rotates it copies and truncates. A
/// line is one write(2): lines of two processes do not mix. Any thread.
class AuditLog final {
 public:
    /// io: the file cannot be opened for appending.
    [[nodiscard]] static Result<std::unique_ptr<AuditLog>> open(const std::string& path, MetricRegistry& metrics);
    ~AuditLog();
    AuditLog(const AuditLog&) = delete;
    AuditLog& operator=(const AuditLog&) = delete;

    void append(const AuditEntry& entry);

 private:
    AuditLog(int file, MetricRegistry& metrics);

    const int file_;
    Counter& written_;
    Counter& failed_;
};

}  // namespace muster
