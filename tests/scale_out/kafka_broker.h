#pragma once

#include <string>

#include <sys/types.h>

#include "base/result.h"
#include "storage/scratch_directory.h"

namespace muster {

/// A real Kafka broker on loopback, started by tools/kafka.sh with its records in a directory of its own. Owned by one
/// test program; gone with it.
class KafkaBroker final {
 public:
    KafkaBroker() = default;
    ~KafkaBroker();
    KafkaBroker(const KafkaBroker&) = delete;
    KafkaBroker& operator=(const KafkaBroker&) = delete;

    /// Starts it, again on the same port and records, and waits until it takes connections. The jars are fetched the
    /// first time.
    [[nodiscard]] Result<void> start();
    /// SIGKILL.
    void kill();
    /// SIGSTOP and SIGCONT: it is there and says nothing.
    void freeze() const;
    void thaw() const;

    /// host:port.
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
    [[nodiscard]] bool takes_connections() const;
    [[nodiscard]] std::string end_of_log() const;

    ScratchDirectory directory_;
    int port_ = 0;
    pid_t pid_ = 0;
};

}  // namespace muster
