#include "bus/kafka_bus.h"

#include <unistd.h>

#include "bus/bus_conformance.h"
#include "kafka_broker.h"

namespace muster {
namespace {

/// One broker for the whole program: it takes seconds to start.
class BrokerEnvironment final : public ::testing::Environment {
 public:
    void SetUp() override {
        const auto started = broker().start();
        ASSERT_TRUE(started) << started.error().message();
    }
    void TearDown() override { broker().kill(); }

    static KafkaBroker& broker() {
        static KafkaBroker one;
        return one;
    }
};
[[maybe_unused]] ::testing::Environment* const environment = ::testing::AddGlobalTestEnvironment(new BrokerEnvironment);

/// Topics and groups of a name of their own: tests do not see each other's.
std::string next_prefix() {
    static int count = 0;
    return "t" + std::to_string(++count) + ".";
}

KafkaBusOptions options_for(const std::string& prefix, Partition partitions = 8) {
    KafkaBusOptions options;
    options.brokers = BrokerEnvironment::broker().address();
    options.partitions = partitions;
    options.prefix = prefix;
    options.connect_timeout = Millis(30'000);
    options.session_timeout = Millis(6'000);
    return options;
}

class KafkaUnderTest final : public BusUnderTest {
 public:
    KafkaUnderTest() { start(); }

    Bus& bus() override { return *bus_; }
    void restart() override {
        bus_.reset();
        start();
    }
    [[nodiscard]] bool compacts_at_once() const override { return false; }

 private:
    void start() {
        auto opened = KafkaBus::open(options_for(prefix_), metrics_);
        ASSERT_TRUE(opened) << opened.error().message();
        bus_ = std::move(*opened);
    }

    const std::string prefix_ = next_prefix();
    MetricRegistry metrics_;
    std::unique_ptr<KafkaBus> bus_;
};

INSTANTIATE_TEST_SUITE_P(Kafka, BusConformance, ::testing::Values([] { return std::make_unique<KafkaUnderTest>(); }));

}  // namespace
}  // namespace muster
