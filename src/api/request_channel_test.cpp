#include "api/request_channel.h"

#include <future>

#include <gtest/gtest.h>

#include "api/test_ports.h"
#include "contract/bus_topics.h"
#include "contract/downlink.h"

namespace muster {
namespace {

class RequestChannelTest : public ::testing::Test {
 protected:
    void start(std::size_t pending_max = 4) {
        RequestChannelOptions options;
        options.name = "api-t";
        options.pending_max = pending_max;
        auto started = RequestChannel::start(options, bus, metrics, clock);
        ASSERT_TRUE(started);
        channel = std::move(*started);
    }
    std::future<Result<ChannelReply>> ask(const std::string& device) {
        auto promise = std::make_shared<std::promise<Result<ChannelReply>>>();
        channel->ask(device, "topic", "{}",
                     [promise](Result<ChannelReply> reply) { promise->set_value(std::move(reply)); });
        return promise->get_future();
    }
    void reply(std::uint64_t correlation, std::uint16_t status, const std::string& body) {
        DownlinkHeader header;
        header.kind = DownlinkKind::reply;
        header.status = status;
        header.correlation = correlation;
        std::string packed;
        encode(header, packed);
        bus.append("muster.downlink.api-t", {"d", body, {{std::string(downlink_header_name), packed}}, false});
    }
    static std::uint64_t correlation_of(const MemoryBus::Record& record) {
        return decode_event_header(record.header(event_header_name))->sequence;
    }

    SharedManualClock clock;
    MetricRegistry metrics;
    MemoryBus bus;
    std::unique_ptr<RequestChannel> channel;
};

TEST_F(RequestChannelTest, an_answer_finds_its_question) {
    bus.on_append = [&](const std::string& topic, const MemoryBus::Record& record) {
        if (topic == bus_topics::requests) {
            reply(correlation_of(record) + 1000, 500, "of somebody else");
            reply(correlation_of(record), 200, "for " + record.key);
        }
    };
    start();
    auto first = ask("a");
    auto second = ask("b");
    EXPECT_EQ(first.get()->body, "for a");
    EXPECT_EQ(second.get()->body, "for b");
}

TEST_F(RequestChannelTest, a_question_nobody_answers_times_out) {
    std::promise<void> sent;
    bus.on_append = [&](const std::string&, const MemoryBus::Record&) { sent.set_value(); };
    start();
    auto reply = ask("a");
    sent.get_future().wait();
    clock.advance(Millis(5000));
    EXPECT_EQ(reply.get().error().code, ErrorCode::timed_out);
}

TEST_F(RequestChannelTest, more_than_its_bound_is_refused_at_once) {
    start(2);
    auto first = ask("a");
    auto second = ask("b");
    EXPECT_EQ(ask("c").get().error().code, ErrorCode::queue_full);
    channel->stop();
    EXPECT_EQ(first.get().error().code, ErrorCode::closed);
    EXPECT_EQ(second.get().error().code, ErrorCode::closed);
    EXPECT_EQ(ask("d").get().error().code, ErrorCode::closed);
}

TEST_F(RequestChannelTest, an_event_is_done_when_it_is_durable) {
    EventKind kind{};
    bus.on_append = [&](const std::string& topic, const MemoryBus::Record& record) {
        EXPECT_EQ(topic, bus_topics::events);
        kind = decode_event_header(record.header(event_header_name))->kind;
    };
    start();
    std::promise<bool> durable;
    channel->send_event("a", EventKind::attributes, "{}",
                        [&](Result<void> result) { durable.set_value(result.has_value()); });
    EXPECT_TRUE(durable.get_future().get());
    EXPECT_EQ(kind, EventKind::attributes);
}

TEST_F(RequestChannelTest, a_bus_that_is_full_is_told_to_the_asker) {
    bus.refuses = true;
    start();
    EXPECT_EQ(ask("a").get().error().code, ErrorCode::queue_full);
}

TEST_F(RequestChannelTest, a_name_that_no_header_can_carry_is_refused) {
    RequestChannelOptions options;
    options.name = std::string(65, 'x');
    EXPECT_FALSE(RequestChannel::start(options, bus, metrics, clock));
}

}  // namespace
}  // namespace muster
