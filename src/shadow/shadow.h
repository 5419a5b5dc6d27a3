#pragma once

#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "bus/bus.h"
#include "shadow/document_store.h"

namespace muster {

struct ShadowOptions {
    std::string name = "shadow";         ///< of the producer, for metrics
    std::string group = "shadow";        ///< consumer group on muster.requests and muster.status
    std::size_t poll_records_max = 500;  ///< records of one turn, and so of one commit
    Millis idle{100};                    ///< longest wait for records: how late an expiry may be noticed
    Millis retry{500};                   ///< between attempts when the store or the bus says no
};

/// The shadow role: shadows and commands of every device of its partitions, on one thread of its own. Reads
/// muster.requests from the group's committed offset and muster.status from its beginning; writes the DocumentStore and
/// muster.downlink.*. One turn: poll, handle, one commit of all documents with the position reached, downlinks, commit
/// of the offset. While the store or the bus fails it waits and repeats the same step: nothing is lost or doubled. The
/// destructor stops it.
class Shadow final {
 public:
    /// Opens its topics. `bus`, `store`, `clock` and `metrics` outlive the role.
    [[nodiscard]] static Result<std::unique_ptr<Shadow>> start(ShadowOptions options, Bus& bus, DocumentStore& store,
                                                               const Clock& clock, MetricRegistry& metrics);
    ~Shadow();
    Shadow(const Shadow&) = delete;
    Shadow& operator=(const Shadow&) = delete;

    /// Ends the thread after its current turn; a turn that cannot end because the store or the bus fails is given up,
    /// and is repeated at the next start. Safe to call twice.
    void stop();

 private:
    class Worker;
    explicit Shadow(std::unique_ptr<Worker> worker);
    std::unique_ptr<Worker> worker_;
};

}  // namespace muster
