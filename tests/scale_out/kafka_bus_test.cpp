#include "bus/kafka_bus.h"

#include "bus/bus_conformance.h"
#include "kafka_fixture.h"

namespace muster {
namespace {

class BrokerEnvironment final : public ::testing::Environment {
 public:
    void SetUp() override {
        const auto started = kafka_broker().start();
        ASSERT_TRUE(started) << started.error().message();
    }
    void TearDown() override { kafka_broker().kill(); }
};
[[maybe_unused]] ::testing::Environment* const environment = ::testing::AddGlobalTestEnvironment(new BrokerEnvironment);

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
        auto opened = KafkaBus::open(kafka_options(prefix_), metrics_);
        ASSERT_TRUE(opened) << opened.error().message();
        bus_ = std::move(*opened);
    }

    const std::string prefix_ = next_kafka_prefix();
    MetricRegistry metrics_;
    std::unique_ptr<KafkaBus> bus_;
};

INSTANTIATE_TEST_SUITE_P(Kafka, BusConformance, ::testing::Values([] { return std::make_unique<KafkaUnderTest>(); }));

}  // namespace
}  // namespace muster
