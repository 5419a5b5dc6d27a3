#include "app/simulate.h"

#include <cstdio>

#include "app/process.h"
#include "base/log.h"
#include "simulator/simulator.h"

namespace muster {

int run_simulator(const SimulateOptions& options) {
    if (const auto logging = start_log(options.log_level); !logging) {
        fmt::print(stderr, "muster simulator: {}\n", logging.error().message());
        return 1;
    }
    MetricRegistry registry;
    auto simulator = Simulator::start(options.simulator, registry);
    if (!simulator) {
        fmt::print(stderr, "muster simulator: {}\n", simulator.error().message());
        return 1;
    }
    wait_for_stop(options.duration_s);
    (*simulator)->stop();
    fmt::print("{}\n", (*simulator)->summary());
    return 0;
}

}  // namespace muster
