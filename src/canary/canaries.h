#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "contract/detection_accuracy.h"
#include "net/address.h"
#include "net/reactor.h"
#include "status/status_store.h"

namespace muster {

struct CanariesOptions {
    net::Address broker;
    std::string password;          ///< that the gateway takes from canaries and nobody else
    std::size_t of_each_kind = 2;  ///< 1 to 100
    Millis alive_for{15'000};      ///< of each life, at least
    Millis online_bound{5'000};    ///< G6
};

/// Measures all the time how well this Muster detects: runs devices whose truth it knows over real connections against
/// its own gateway, watches what the status store shows of them, and keeps account (CanaryLedger). Their ids begin with
/// canary_id_prefix; they count in no region. One thread of its own.
class Canaries final {
 public:
    /// `status` and `registry` outlive it. invalid_argument, io: in words for an administrator.
    [[nodiscard]] static Result<std::unique_ptr<Canaries>> start(CanariesOptions options, StatusStore& status,
                                                                 MetricRegistry& registry);
    ~Canaries();
    Canaries(const Canaries&) = delete;
    Canaries& operator=(const Canaries&) = delete;

    /// Any thread.
    [[nodiscard]] DetectionAccuracy accuracy() const;

 private:
    class Aviary;
    Canaries();

    std::unique_ptr<net::Reactor> reactor_;
    std::unique_ptr<Aviary> aviary_;
    std::shared_ptr<void> watch_;
    std::thread thread_;
};

}  // namespace muster
