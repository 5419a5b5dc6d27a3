// What one request costs the shadow role: rules, service, and the durable commit of a turn.
#include <benchmark/benchmark.h>

#include "contract/mqtt_topics.h"
#include "shadow/embedded_document_store.h"
#include "shadow/memory_document_store.h"
#include "shadow/shadow_service.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

constexpr std::string_view report =
    R"({"state":{"reported":{"reportInterval":30,"firmware":"2.1.0","network":{"rssi":-71,)"
    R"("carrier":"jio"},"battery":87}},"clientToken":"c-17"})";

void update_rules(benchmark::State& state) {
    ShadowDocument document;
    for (auto unused : state) {
        const auto request = parse_shadow_update(report);
        benchmark::DoNotOptimize(update_shadow(document, *request, 1'700'000'000));
    }
}
BENCHMARK(update_rules);

/// Turns of `requests` updates by as many devices, on this store.
void run_turns(benchmark::State& state, DocumentStore& store) {
    MetricRegistry registry;
    ShadowService service(store, registry);
    (void)service.assign(0);
    std::vector<std::pair<std::string, std::string>> devices;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        std::string id = "device-" + std::to_string(i);
        const std::string topic = shadow_topic(id, "update");
        EventHeader header;
        header.kind = EventKind::publish;
        header.gateway = "gw-1";
        header.topic = topic;
        header.received = from_epoch_ms(1'700'000'000'000);
        std::string packed;
        encode(header, packed);
        devices.emplace_back(std::move(id), std::move(packed));
    }
    Offset offset = 0;
    for (auto unused : state) {
        for (const auto& [id, header] : devices) {
            service.on_request(0, offset++, header, id, report);
        }
        service.settle(from_epoch_ms(1'700'000'000'000));
        service.finish();
        (void)store.commit(service.writes());
        service.end_turn();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

void turn_in_memory(benchmark::State& state) {
    MemoryDocumentStore store;
    run_turns(state, store);
}
BENCHMARK(turn_in_memory)->Arg(500);

void turn_on_disk(benchmark::State& state) {
    ScratchDirectory directory;
    const auto store = EmbeddedDocumentStore::open(directory.path());
    run_turns(state, **store);
}
BENCHMARK(turn_on_disk)->Arg(1)->Arg(500);

}  // namespace
}  // namespace muster
