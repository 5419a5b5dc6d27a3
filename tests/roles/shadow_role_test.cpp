#include <array>
#include <atomic>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "bus/embedded_bus.h"
#include "contract/bus_topics.h"
#include "contract/downlink.h"
#include "contract/event.h"
#include "contract/mqtt_topics.h"
#include "contract/status_document.h"
#include "shadow/documents.h"
#include "shadow/embedded_document_store.h"
#include "shadow/shadow.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

using boost::json::parse;
using boost::json::value;

constexpr Millis patience{30'000};
constexpr Millis poll_wait{20};

/// Time that a test moves while the role's thread reads it.
class SharedClock final : public Clock {
 public:
    [[nodiscard]] Timestamp now() const override { return from_epoch_ms(1'700'000'000'000 + elapsed_ms_); }
    [[nodiscard]] Millis monotonic() const override { return Millis(elapsed_ms_); }
    void advance(Millis by) { elapsed_ms_ += by.count(); }

 private:
    std::atomic<std::int64_t> elapsed_ms_{0};
};

/// A store whose commits can be made to fail, from any thread.
class UnreliableStore final : public DocumentStore {
 public:
    explicit UnreliableStore(DocumentStore& store) : store_(store) {}
    std::atomic<bool> fails{false};
    std::atomic<int> refused{0};

    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view collection,
                                                         std::string_view key) const override {
        return store_.get(collection, key);
    }
    [[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> list(std::string_view collection,
                                                                                std::string_view prefix,
                                                                                std::string_view after,
                                                                                std::size_t limit) const override {
        return store_.list(collection, prefix, after, limit);
    }
    [[nodiscard]] Result<void> commit(std::span<const DocumentWrite> writes) override {
        if (fails) {
            ++refused;
            return fail(ErrorCode::unavailable, "told to fail");
        }
        return store_.commit(writes);
    }

 private:
    DocumentStore& store_;
};

/// The shadow role between a bus and a store on disk; the test is the gateway, the API and the processor.
class ShadowRole : public ::testing::Test {
 protected:
    struct Received {
        DownlinkKind kind = DownlinkKind::publish;
        std::uint16_t status = 0;
        SessionEpoch epoch = 0;
        std::uint64_t correlation = 0;
        std::string device;
        std::string topic;
        value payload;
    };

    void SetUp() override {
        open();
        start();
    }
    void TearDown() override { close(); }

    void open() {
        auto bus = EmbeddedBus::open({directory_.path() + "/bus", 4}, metrics_);
        ASSERT_TRUE(bus) << bus.error().message();
        bus_ = std::move(*bus);
        auto store = EmbeddedDocumentStore::open(directory_.path() + "/documents");
        ASSERT_TRUE(store) << store.error().message();
        documents_ = std::move(*store);
        store_ = std::make_unique<UnreliableStore>(*documents_);
        requests_ = open_topic(bus_topics::requests, TopicSpec::Cleanup::bounded);
        status_ = open_topic(bus_topics::status, TopicSpec::Cleanup::compacted);
        producer_ = bus_->producer({"test", 1U << 20U, {}});
        gateway_ = downlink_consumer("gw-1");
        api_ = downlink_consumer("api-1");
    }
    void start() {
        ShadowOptions options;
        options.idle = Millis(10);
        options.retry = Millis(5);
        auto role = Shadow::start(options, *bus_, *store_, clock_, metrics_);
        ASSERT_TRUE(role) << role.error().message();
        role_ = std::move(*role);
    }
    void close() {
        role_.reset();
        gateway_.reset();
        api_.reset();
        producer_.reset();
        store_.reset();
        documents_.reset();
        bus_.reset();
    }
    void reopen() {
        close();
        open();
        start();
    }

    void request(EventKind kind, std::string_view device, std::string_view gateway, std::string_view topic,
                 std::string_view payload, SessionEpoch epoch = 1) {
        EventHeader header;
        header.kind = kind;
        header.gateway = gateway;
        header.topic = topic;
        header.epoch = epoch;
        header.sequence = ++sequence_;
        header.received = clock_.now();
        std::string packed;
        encode(header, packed);
        const std::array headers{RecordHeader{event_header_name, packed}};
        ProducerRecord record;
        record.key = device;
        record.value = payload;
        record.headers = headers;
        produce(requests_, record);
    }
    void publish(std::string_view device, std::string_view operation, std::string_view payload) {
        request(EventKind::publish, device, "gw-1", shadow_topic(device, operation), payload);
    }
    void ask(std::string_view device, std::string_view topic, std::string_view body) {
        request(EventKind::api_request, device, "api-1", topic, body, 0);
    }
    void online(std::string_view device, SessionEpoch epoch) {
        StatusDocument document;
        document.id = device;
        document.state = PresenceState::online;
        document.epoch = epoch;
        document.gateway = "gw-1";
        const std::string text = to_json(document);
        ProducerRecord record;
        record.key = device;
        record.value = text;
        produce(status_, record);
    }

    Received next(Consumer& consumer) {
        for (Millis waited{0}; received_[&consumer].empty() && waited < patience; waited += poll_wait) {
            EXPECT_TRUE(consumer.poll(poll_wait, [&](const ConsumerRecord& record) {
                const auto header = decode_downlink_header(record.header(downlink_header_name));
                ASSERT_TRUE(header);
                received_[&consumer].push_back({header->kind, header->status, header->epoch, header->correlation,
                                                std::string(record.key), std::string(header->topic),
                                                parse(record.value)});
            }));
        }
        auto& waiting = received_[&consumer];
        if (waiting.empty()) {
            ADD_FAILURE() << "nothing came";
            return {};
        }
        Received first = std::move(waiting.front());
        waiting.erase(waiting.begin());
        return first;
    }
    Received at_gateway() { return next(*gateway_); }
    Received at_api() { return next(*api_); }
    [[nodiscard]] value stored_shadow(std::string_view device) {
        const auto text = read_shadow(*documents_, device);
        return text && *text ? parse(**text) : value(nullptr);
    }

    ScratchDirectory directory_;
    MetricRegistry metrics_;
    SharedClock clock_;
    std::unique_ptr<EmbeddedBus> bus_;
    std::unique_ptr<EmbeddedDocumentStore> documents_;
    std::unique_ptr<UnreliableStore> store_;
    std::unique_ptr<Producer> producer_;
    std::unique_ptr<Consumer> gateway_;
    std::unique_ptr<Consumer> api_;
    std::unique_ptr<Shadow> role_;

 private:
    TopicId open_topic(std::string_view name, TopicSpec::Cleanup cleanup) {
        TopicSpec spec;
        spec.name = name;
        spec.cleanup = cleanup;
        const auto opened = bus_->open_topic(spec);
        EXPECT_TRUE(opened);
        return opened.value_or(TopicId{0});
    }
    std::unique_ptr<Consumer> downlink_consumer(std::string_view gateway) {
        open_topic(bus_topics::downlink(gateway), TopicSpec::Cleanup::bounded);
        ConsumerOptions options;
        options.topics = {bus_topics::downlink(gateway)};
        options.start = ConsumerOptions::Start::latest;
        auto consumer = bus_->consumer(std::move(options));
        EXPECT_TRUE(consumer);
        EXPECT_TRUE(
            (*consumer)->poll(Millis(0), [](const ConsumerRecord&) {}));  // the first poll says what "latest" is
        return std::move(*consumer);
    }
    void produce(TopicId topic, const ProducerRecord& record) {
        ASSERT_TRUE(producer_->send(topic, record, 0));
        producer_->flush();
    }

    TopicId requests_ = 0;
    TopicId status_ = 0;
    std::uint64_t sequence_ = 0;
    std::map<Consumer*, std::vector<Received>> received_;
};

TEST_F(ShadowRole, answers_a_device_through_its_gateway) {
    publish("d1", "update", R"({"state":{"desired":{"a":1}}})");
    const Received accepted = at_gateway();
    EXPECT_EQ(accepted.topic, "$aws/things/d1/shadow/update/accepted");
    EXPECT_EQ(accepted.device, "d1");
    EXPECT_EQ(accepted.payload.at("version"), value(1));
    EXPECT_EQ(at_gateway().topic, "$aws/things/d1/shadow/update/delta");
    EXPECT_EQ(at_gateway().topic, "$aws/things/d1/shadow/update/documents");
}

TEST_F(ShadowRole, answers_the_api_and_tells_the_device) {
    online("d1", 9);
    ask("d1", shadow_topic("d1", "update"), R"({"state":{"desired":{"a":1}}})");
    const Received reply = at_api();
    EXPECT_EQ(reply.kind, DownlinkKind::reply);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.correlation, 1U);
    Received told = at_gateway();
    if (told.topic.ends_with("accepted")) {  // the status was read before the request
        told = at_gateway();
    }
    EXPECT_EQ(told.topic, "$aws/things/d1/shadow/update/delta");
    EXPECT_EQ(told.epoch, 9U);
}

TEST_F(ShadowRole, a_command_is_carried_out_and_another_expires) {
    request(EventKind::subscribed, "d1", "gw-1", command_topic("d1", "+", "request/json"), "", 4);
    ask("d1", create_command_topic, R"({"name":"reboot"})");
    const std::string id(at_api().payload.at("execution_id").as_string());
    const Received asked = at_gateway();
    EXPECT_EQ(asked.topic, command_topic("d1", id, "request/json"));
    request(EventKind::publish, "d1", "gw-1", command_topic("d1", id, "response/json"), R"({"status":"SUCCEEDED"})", 4);
    EXPECT_EQ(at_gateway().topic, command_topic("d1", id, "response/accepted/json"));
    EXPECT_EQ(parse(**read_command(*documents_, id)).at("status"), value("SUCCEEDED"));

    ask("away", create_command_topic, R"({"name":"reboot","expires_in_s":1})");
    const std::string waiting(at_api().payload.at("execution_id").as_string());
    clock_.advance(Seconds(1));
    const auto expired = [&] { return parse(**read_command(*documents_, waiting)).at("status") == value("EXPIRED"); };
    for (Millis waited{0}; !expired() && waited < patience; waited += poll_wait) {
        ASSERT_TRUE(gateway_->poll(poll_wait, [](const ConsumerRecord&) {}));
    }
    EXPECT_TRUE(expired()) << "without any further record";
}

TEST_F(ShadowRole, goes_on_after_a_restart_where_it_was) {
    publish("d1", "update", R"({"state":{"reported":{"a":1}}})");
    EXPECT_EQ(at_gateway().payload.at("version"), value(1));
    (void)at_gateway();
    online("d1", 5);
    reopen();
    publish("d1", "update", R"({"state":{"reported":{"a":2}}})");
    EXPECT_EQ(at_gateway().payload.at("version"), value(2));
    (void)at_gateway();
    ask("d1", shadow_topic("d1", "update"), R"({"state":{"desired":{"a":3}}})");
    Received told = at_gateway();
    while (!told.topic.ends_with("delta") && !told.topic.empty()) {
        told = at_gateway();
    }
    EXPECT_EQ(told.epoch, 5U) << "the session is known from the status topic";
}

TEST_F(ShadowRole, waits_for_a_store_that_fails_and_loses_nothing) {
    store_->fails = true;
    publish("d1", "update", R"({"state":{"reported":{"a":1}}})");
    for (Millis waited{0}; store_->refused < 3 && waited < patience; waited += poll_wait) {
        ASSERT_EQ(*gateway_->poll(poll_wait, [](const ConsumerRecord&) {}), 0U) << "no answer before it is kept";
    }
    store_->fails = false;
    EXPECT_EQ(at_gateway().payload.at("version"), value(1));
    EXPECT_EQ(stored_shadow("d1").at("version"), value(1));
}

TEST_F(ShadowRole, stopped_while_the_store_fails_it_repeats_the_turn_at_the_next_start) {
    store_->fails = true;
    publish("d1", "update", R"({"state":{"reported":{"a":1}}})");
    for (Millis waited{0}; store_->refused < 1 && waited < patience; waited += poll_wait) {
        ASSERT_TRUE(gateway_->poll(poll_wait, [](const ConsumerRecord&) {}));
    }
    role_->stop();
    store_->fails = false;
    start();
    EXPECT_EQ(at_gateway().payload.at("version"), value(1));
}

TEST_F(ShadowRole, keeps_up_with_many_devices) {
    for (int i = 0; i < 300; ++i) {
        publish("d" + std::to_string(i), "update", R"({"state":{"reported":{"a":1}}})");
    }
    for (int i = 0; i < 600; ++i) {
        const Received got = at_gateway();
        ASSERT_TRUE(got.topic.ends_with("accepted") || got.topic.ends_with("documents")) << got.topic;
    }
}

}  // namespace
}  // namespace muster
