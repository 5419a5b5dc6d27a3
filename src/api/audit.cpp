#include "api/audit.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "api/json_writer.h"
#include "base/log.h"

namespace muster {

Result<std::unique_ptr<AuditLog>> AuditLog::open(const std::string& path, MetricRegistry& metrics) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) {
        return fail(ErrorCode::io, "cannot open the audit log", fmt::format("{}: {}", path, std::strerror(errno)));
    }
    return std::unique_ptr<AuditLog>(new AuditLog(file, metrics));
}

AuditLog::AuditLog(int file, MetricRegistry& metrics)
    : file_(file),
      written_(metrics.counter("muster_api_audit_entries_total", "Lines written to the audit log.")),
      failed_(metrics.counter("muster_api_audit_failures_total", "Lines that could not be written to the audit log.")) {
}

AuditLog::~AuditLog() {
    ::close(file_);
}

void AuditLog::append(const AuditEntry& entry) {
    std::string line;
    JsonWriter(line)
        .begin_object()
        .member("time", entry.time)
        .member("token", entry.token)
        .member("action", entry.action)
        .member("device", entry.device)
        .member("detail", entry.detail)
        .member("result", entry.result)
        .end_object();
    line.push_back('\n');
    if (::write(file_, line.data(), line.size()) == static_cast<ssize_t>(line.size())) {
        written_.Increment();
    } else {
        failed_.Increment();
        spdlog::error("api: the audit log cannot be written: {}", std::strerror(errno));
    }
}

}  // namespace muster
