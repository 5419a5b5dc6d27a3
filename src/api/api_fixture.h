#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "api/api.h"
#include "api/loopback_client.h"
#include "api/test_ports.h"
#include "base/metrics.h"
#include "contract/bus_topics.h"
#include "contract/downlink.h"
#include "contract/event.h"
#include "contract/incident.h"
#include "contract/json.h"
#include "shadow/command.h"
#include "shadow/document_keys.h"
#include "shadow/shadow_document.h"

namespace muster {

/// A running api role on ports in memory, with a small fleet. `shadow_role` answers what is asked on muster.requests.
class ApiFixture : public ::testing::Test {
 protected:
    struct ShadowAnswer {
        std::uint16_t status = 200;
        std::string body = "{}";
        bool silent = false;
    };

    void SetUp() override {
        bus.on_append = [this](const std::string& topic, const MemoryBus::Record& record) {
            if (topic == bus_topics::requests) {
                answer(record);
            }
        };
    }
    void TearDown() override { api.reset(); }

    void start(const std::function<void(ApiOptions&)>& change = {}) {
        ApiOptions options;
        options.listen = "127.0.0.1:0";
        options.data_directory = directory.path() + "/data";
        options.make_token = [this] { return "token-number-" + std::to_string(++tokens_made) + "-of-the-test"; };
        options.pipeline = [this] {
            PipelineHealth health;
            health.records_per_s = 12.5;
            health.newest = clock.now() - pipeline_lag;
            health.gateways = {{"gw-1", 2, clock.now()}};
            return health;
        };
        if (change) {
            change(options);
        }
        auto started = Api::start(std::move(options), bus, status, history, documents, metrics, clock);
        ASSERT_TRUE(started) << started.error().message();
        api = std::move(*started);
        viewer = api->token(Role::viewer);
        fleet_operator = api->token(Role::fleet_operator);
        admin = api->token(Role::admin);
        client = std::make_unique<LoopbackClient>(api->port());
    }

    static StatusDocument device(const std::string& id, PresenceState state = PresenceState::online,
                                 const std::string& region = "in/karnataka/ka-04") {
        StatusDocument document;
        document.id = id;
        document.state = state;
        document.previous = state == PresenceState::online ? PresenceState::never_seen : PresenceState::online;
        document.cause = state == PresenceState::online ? Cause::connect : Cause::will;
        document.since = from_epoch_ms(1'699'999'990'000);
        document.last_seen = document.since;
        document.first_seen = document.since;
        document.epoch = 3;
        document.gateway = "gw-1";
        document.keep_alive_s = 30;
        document.client_address = "127.0.0.1:4242";
        document.protocol = "3.1.1";
        document.attributes.region = region;
        document.attributes.model = "m1";
        document.attributes.latitude = 12.9;
        document.attributes.longitude = 77.6;
        return document;
    }
    void apply(const StatusDocument& document) { (void)status.apply(std::vector{document}, {}); }

    /// d-1 online, d-2 offline, d-3 online and flapping; d-1 with history, a shadow and a command.
    void fill() {
        apply(device("d-1"));
        apply(device("d-2", PresenceState::offline, "in/kerala"));
        auto flapping = device("d-3");
        flapping.overlays = static_cast<Overlays>(Overlay::flapping);
        apply(flapping);
        const std::vector<std::pair<std::string_view, double>> values{{"battery", 81.5}, {"rssi", -60}};
        StatusTouch touch;
        touch.id = "d-1";
        touch.last_seen = touch.telemetry_time = clock.now();
        touch.metrics = values;
        (void)status.apply({}, std::vector{touch});
        for (int i = 0; i < 3; ++i) {
            (void)history.append(std::vector<Sample>{{"d-1", clock.now() - Seconds(60 * i), values}});
        }
        (void)history.append_transition("d-1", transition(-100, PresenceState::online, Cause::connect));
        (void)history.append_transition("d-1", transition(-40, PresenceState::offline, Cause::connection_lost));

        ShadowDocument shadow;
        (void)update_shadow(
            shadow, *parse_shadow_update(R"({"state":{"desired":{"interval":60},"reported":{"interval":30}}})"), 1);
        CommandRequest wanted;
        wanted.name = "reboot";
        wanted.created_by = "operator";
        const Command command = make_command("e-1", "d-1", wanted, clock.now());
        const std::vector<DocumentWrite> writes{
            {document_keys::shadow, document_keys::shadow_key("d-1", ""), to_stored(shadow)},
            {document_keys::command, "e-1", to_json(command)},
            {document_keys::device_command, document_keys::device_command_key("d-1", command.created, "e-1"), "{}"}};
        (void)documents.commit(writes);
    }

    [[nodiscard]] Transition transition(std::int64_t after_s, PresenceState state, Cause cause) const {
        Transition entry;
        entry.time = clock.now() + Seconds(after_s);
        entry.state = state;
        entry.cause = cause;
        entry.epoch = 3;
        entry.gateway = "gw-1";
        return entry;
    }

    void raise(const std::string& id, bool open = true) {
        Incident incident;
        incident.id = id;
        incident.rule = "region_offline_share";
        incident.severity = "critical";
        incident.open = open;
        incident.region = "in/karnataka";
        incident.opened = clock.now();
        incident.timeline = {{clock.now(), "opened"}};
        incident.shared = {{"carrier", "airtel", 0.9}};
        bus.append(std::string(bus_topics::alerts), {incident.id, to_json(incident), {}, false});
    }

    ClientReply send(const std::string& method, const std::string& target, const std::string& token,
                     const std::string& body = {}) {
        return client->send({method, target, token, body, {}});
    }
    static boost::json::object parsed(const ClientReply& reply) {
        auto object = json::parse_object(reply.body);
        EXPECT_TRUE(object) << reply.body;
        return object ? *object : boost::json::object();
    }
    static boost::json::object parsed(const std::string& text) { return parsed(ClientReply{0, {}, text}); }

    /// Asks again until the answer has this status: for what another thread is still doing. The test's time-out bounds
    /// it.
    ClientReply get_until(const std::string& target, unsigned wanted) {
        ClientReply reply;
        do {
            reply = client->get(target, viewer);
        } while (reply.status != wanted);
        return reply;
    }

    TestDirectory directory;
    SharedManualClock clock;
    MetricRegistry metrics;
    MemoryBus bus;
    MemoryStatusStore status;
    MemoryHistoryStore history;
    MemoryDocumentStore documents;
    ShadowAnswer shadow_role;                // set before asking
    std::vector<std::string> requests_seen;  // topics and bodies, read after the answer
    Millis pipeline_lag{100};
    std::unique_ptr<Api> api;
    std::unique_ptr<LoopbackClient> client;
    std::string viewer;
    std::string fleet_operator;
    std::string admin;

 private:
    void answer(const MemoryBus::Record& record) {
        const auto header = decode_event_header(record.header(event_header_name));
        ASSERT_TRUE(header);
        ASSERT_EQ(header->kind, EventKind::api_request);
        requests_seen.push_back(record.key + " " + std::string(header->topic) + " " + record.value);
        if (shadow_role.silent) {
            return;
        }
        DownlinkHeader reply;
        reply.kind = DownlinkKind::reply;
        reply.status = shadow_role.status;
        reply.correlation = header->sequence;
        std::string packed;
        encode(reply, packed);
        bus.append(bus_topics::downlink(header->gateway),
                   {record.key, shadow_role.body, {{std::string(downlink_header_name), packed}}, false});
    }

    int tokens_made = 0;
};

}  // namespace muster
