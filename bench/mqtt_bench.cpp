// lib/mqtt on its own: codec, subscription tree, memory. Run: build/release/bench/muster_mqtt_bench
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <malloc.h>

#include "mqtt/client_connection.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"
#include "mqtt/server_connection.h"
#include "mqtt/server_session.h"
#include "mqtt/subscription_tree.h"

namespace muster::mqtt {
namespace {

constexpr std::size_t devices = 1'000'000;

std::size_t heap_bytes() {
    const auto heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

std::string publish_packet(std::uint8_t qos) {
    const std::string payload(512, 'x');
    Publish publish;
    publish.topic = "telemetry/device-0123456";
    publish.payload = payload;
    publish.qos = qos;
    publish.packet_id = qos == 0 ? std::uint16_t{0} : std::uint16_t{7};
    std::string out;
    encode(ProtocolVersion::v3_1_1, publish, out);
    return out;
}

void decode_publish_512(benchmark::State& state) {
    const std::string bytes = publish_packet(1);
    for (auto _ : state) {
        const Frame frame = next_packet(bytes, 4096);
        benchmark::DoNotOptimize(decode_publish(ProtocolVersion::v3_1_1, frame.packet));
    }
}
BENCHMARK(decode_publish_512);

class DiscardingListener final : public ServerListener {
 public:
    void on_connect(const Connect& /*connect*/) override { connection->accept({}, Millis(0), out); }
    void on_publish(const Publish& publish) override { bytes += publish.payload.size(); }
    void on_ack(const Ack& /*ack*/) override {}
    void on_subscribe(const Subscribe& /*subscribe*/) override {}
    void on_unsubscribe(const Unsubscribe& /*unsubscribe*/) override {}
    void on_ping() override {}
    void on_auth(const Auth& /*auth*/) override {}
    void on_disconnect(const Disconnect& /*disconnect*/) override {}
    void on_error(const ProtocolError& /*error*/) override {}

    ServerConnection* connection = nullptr;
    std::string out;
    std::size_t bytes = 0;
};

/// A read of 16 KiB, about 30 messages, one of them cut.
void server_connection_receive(benchmark::State& state) {
    const ServerLimits limits;
    ServerConnection connection(limits, Millis(0));
    DiscardingListener listener;
    listener.connection = &connection;
    Connect connect;
    connect.client_id = "device-0123456";
    std::string hello;
    encode(connect, hello);
    connection.receive(hello, Millis(0), listener);
    const std::string one = publish_packet(0);
    std::string stream;
    while (stream.size() < 100 * one.size()) {
        stream += one;
    }
    for (auto _ : state) {
        for (std::string_view rest = stream; !rest.empty();) {
            const std::string_view piece = rest.substr(0, 16'384);
            connection.receive(piece, Millis(1), listener);
            rest.remove_prefix(piece.size());
        }
    }
    state.SetItemsProcessed(state.iterations() * 100);
    benchmark::DoNotOptimize(listener.bytes);
}
BENCHMARK(server_connection_receive);

void encode_publish_512(benchmark::State& state) {
    const std::string payload(512, 'x');
    Publish publish;
    publish.topic = "telemetry/device-0123456";
    publish.payload = payload;
    std::string out;
    out.reserve(1 << 20U);
    for (auto _ : state) {
        if (out.size() > (1U << 20U) - 1024) {
            out.clear();
        }
        encode(ProtocolVersion::v3_1_1, publish, out);
    }
    benchmark::DoNotOptimize(out.data());
}
BENCHMARK(encode_publish_512);

std::string device_id(std::size_t index) {
    return "device-" + std::to_string(1'000'000 + index);
}

/// A fleet's subscriptions: four exact filters and one wildcard filter a device, and a few of operators.
class FleetTree {
 public:
    FleetTree() {
        const std::size_t before = heap_bytes();
        for (std::size_t index = 0; index < devices; ++index) {
            const std::string thing = "$aws/things/" + device_id(index);
            for (const char* tail :
                 {"/shadow/update/delta", "/shadow/get/accepted", "/shadow/update/accepted", "/jobs/notify"}) {
                tree.subscribe(thing + tail, {index, 0, {}});
            }
            tree.subscribe("$aws/commands/things/" + device_id(index) + "/executions/+/request/json", {index, 0, {}});
        }
        bytes = heap_bytes() - before;
        for (const char* filter : {"operators/#", "site/+/alarm", "$aws/events/presence/+/+"}) {
            tree.subscribe(filter, {devices, 0, {}});
        }
    }
    SubscriptionTree tree{SubscriptionTree::Options{.seed = 42}};
    std::size_t bytes = 0;
};

FleetTree& fleet() {
    static FleetTree one;
    return one;
}

void match_topics(benchmark::State& state, const char* before, const char* after) {
    const FleetTree& filled = fleet();
    std::vector<std::string> topics;
    for (std::size_t index = 0; index < 65'536; ++index) {
        topics.push_back(before + device_id(index * 7919 % devices) + after);
    }
    std::size_t found = 0;
    std::size_t at = 0;
    for (auto _ : state) {
        filled.tree.match(topics[at++ & 65'535], [&](const Subscriber&) { ++found; });
    }
    state.counters["found"] = static_cast<double>(found) / static_cast<double>(state.iterations());
    state.counters["bytes_per_subscription"] =
        static_cast<double>(filled.bytes) / static_cast<double>(filled.tree.subscriptions());
}
BENCHMARK_CAPTURE(match_topics, telemetry_nobody, "telemetry/", "");
BENCHMARK_CAPTURE(match_topics, shadow_update_nobody, "$aws/things/", "/shadow/update");
BENCHMARK_CAPTURE(match_topics, shadow_rejected_nobody, "$aws/things/", "/shadow/update/rejected");
BENCHMARK_CAPTURE(match_topics, shadow_delta_one, "$aws/things/", "/shadow/update/delta");
BENCHMARK_CAPTURE(match_topics, command_wildcard_one, "$aws/commands/things/", "/executions/1/request/json");

void subscribe_and_unsubscribe(benchmark::State& state) {
    FleetTree& filled = fleet();
    std::size_t index = 0;
    for (auto _ : state) {
        const std::string filter = "$aws/things/" + device_id(++index) + "/shadow/get/rejected";
        filled.tree.subscribe(filter, {index, 0, {}});
        filled.tree.unsubscribe(filter, index);
    }
}
BENCHMARK(subscribe_and_unsubscribe);

/// Connection, session and client id of an idle device, as the heap sees them.
void idle_session_memory(benchmark::State& state) {
    struct Idle {
        Idle(const ServerLimits& server, const SessionLimits& limits)
            : connection(server, Millis(0)), session(limits) {}
        ServerConnection connection;
        ServerSession session;
        std::string client_id = "device-0123456";
    };
    const ServerLimits server;
    const SessionLimits limits;
    constexpr std::size_t count = 100'000;
    for (auto _ : state) {
        std::vector<std::unique_ptr<Idle>> all;
        all.reserve(count);
        const std::size_t before = heap_bytes();
        for (std::size_t index = 0; index < count; ++index) {
            all.push_back(std::make_unique<Idle>(server, limits));
        }
        state.counters["bytes_per_session"] = static_cast<double>(heap_bytes() - before) / count;
    }
}
BENCHMARK(idle_session_memory)->Iterations(1);

}  // namespace
}  // namespace muster::mqtt
