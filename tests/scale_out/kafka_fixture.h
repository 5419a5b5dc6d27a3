#pragma once

#include <string>

#include <gtest/gtest.h>

#include "bus/kafka_bus.h"
#include "kafka_broker.h"

namespace muster {

/// The one broker of the test program: it takes seconds to start.
[[nodiscard]] inline KafkaBroker& kafka_broker() {
    static KafkaBroker one;
    return one;
}

/// Topics and groups of a name of their own: tests do not see each other's.
[[nodiscard]] inline std::string next_kafka_prefix() {
    static int count = 0;
    return "t" + std::to_string(++count) + ".";
}

[[nodiscard]] inline KafkaBusOptions kafka_options(const std::string& prefix, Partition partitions = 8) {
    KafkaBusOptions options;
    options.brokers = kafka_broker().address();
    options.partitions = partitions;
    options.prefix = prefix;
    options.connect_timeout = Millis(30'000);
    options.session_timeout = Millis(6'000);
    return options;
}

}  // namespace muster
