#include <array>
#include <cstdlib>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "net/address.h"
#include "net/reactor.h"
#include "net/tcp_listener.h"
#include "net/tcp_socket.h"

namespace muster::net {
namespace {

Address loopback() {
    return *Address::parse("127.0.0.1:0");
}

/// Watches one descriptor and remembers what it was told.
class RecordingHandler final : public IoHandler {
 public:
    void on_io(std::uint32_t events) override {
        seen |= events;
        ++calls;
    }
    std::uint32_t seen = 0;
    int calls = 0;
};

/// Turns until `done`, at most for a few thousand short waits.
template <class Condition>
bool turn_until(Reactor& reactor, Condition done) {
    for (int i = 0; i < 3000 && !done(); ++i) {
        reactor.run_once(Millis(10));
    }
    return done();
}

/// Two ends of one loopback connection, both watched by one reactor.
class Pair : public ::testing::Test {
 protected:
    void SetUp() override {
        auto listeners = TcpListener::open(loopback());
        ASSERT_TRUE(listeners) << listeners.error().message();
        client = *TcpSocket::connect((*listeners)[0].local_address());
        RecordingHandler waiting;
        ASSERT_TRUE(reactor->add((*listeners)[0].fd(), waiting, io_readable));
        ASSERT_TRUE(turn_until(*reactor, [&] { return waiting.seen != 0; }));
        Address peer;
        server = *(*listeners)[0].accept(peer);
        EXPECT_EQ(peer.to_string(), client.local_address().to_string());
        reactor->remove((*listeners)[0].fd());
        ASSERT_TRUE(reactor->add(server.fd(), handler, io_readable | io_writable | io_peer_ended));
    }

    std::unique_ptr<Reactor> reactor = *Reactor::create();
    TcpSocket client;
    TcpSocket server;
    RecordingHandler handler;
};

TEST(Address, is_read_and_written_in_both_families) {
    EXPECT_EQ(Address::parse("127.0.0.1:1883")->to_string(), "127.0.0.1:1883");
    EXPECT_EQ(Address::parse("0.0.0.0:0")->to_string(), "0.0.0.0:0");
    EXPECT_EQ(Address::parse("255.255.255.255:65535")->to_string(), "255.255.255.255:65535");
    EXPECT_EQ(Address::parse("255.255.255.255:65535")->host(), "255.255.255.255");
    EXPECT_EQ(Address::parse("[::1]:65535")->to_string(), "[::1]:65535");
    EXPECT_EQ(Address::parse("[::1]:1")->host(), "::1");
    EXPECT_EQ(Address::parse("10.1.2.3:7")->with_port(9).to_string(), "10.1.2.3:9");
}

TEST(Address, tells_loopback_from_the_rest) {
    EXPECT_TRUE(Address::parse("127.9.8.7:1")->is_loopback());
    EXPECT_TRUE(Address::parse("[::1]:1")->is_loopback());
    EXPECT_FALSE(Address::parse("0.0.0.0:1")->is_loopback());
    EXPECT_FALSE(Address::parse("[::]:1")->is_loopback());
}

TEST(Address, refuses_what_is_not_an_address) {
    for (const char* text : {"", ":", "1883", "localhost:1883", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                             "::1:1883", "[::1]", "[127.0.0.1]:1", "127.0.0.1:1x"}) {
        EXPECT_FALSE(Address::parse(text)) << text;
    }
}

TEST_F(Pair, bytes_arrive_and_an_empty_socket_would_block) {
    std::array<char, 16> buffer{};
    EXPECT_EQ(server.read(buffer).error().code, ErrorCode::would_block);
    ASSERT_EQ(client.write("hello"), 5U);
    ASSERT_TRUE(turn_until(*reactor, [&] { return (handler.seen & io_readable) != 0; }));
    ASSERT_EQ(server.read(buffer), 5U);
    EXPECT_EQ(std::string_view(buffer.data(), 5), "hello");
}

TEST_F(Pair, pieces_are_written_in_order) {
    std::string one = "ab";
    std::string two = "cd";
    const std::array<iovec, 2> pieces{iovec{one.data(), 2}, iovec{two.data(), 2}};
    ASSERT_EQ(client.write(pieces), 4U);
    ASSERT_TRUE(turn_until(*reactor, [&] { return (handler.seen & io_readable) != 0; }));
    std::array<char, 16> buffer{};
    ASSERT_EQ(server.read(buffer), 4U);
    EXPECT_EQ(std::string_view(buffer.data(), 4), "abcd");
}

TEST_F(Pair, the_end_of_the_peer_is_told_and_read_as_closed) {
    client.close();
    ASSERT_TRUE(turn_until(*reactor, [&] { return (handler.seen & io_peer_ended) != 0; }));
    std::array<char, 16> buffer{};
    EXPECT_EQ(server.read(buffer).error().code, ErrorCode::closed);
}

TEST_F(Pair, a_full_socket_would_block_and_tells_when_it_has_room) {
    const std::string much(1 << 20, 'x');
    while (server.write(much)) {
    }
    EXPECT_EQ(server.write(much).error().code, ErrorCode::would_block);
    reactor->run_once(Millis(0));
    handler.seen = 0;
    std::vector<char> sink(1 << 20);
    ASSERT_TRUE(turn_until(*reactor, [&] {
        (void)client.read(sink);
        return (handler.seen & io_writable) != 0;
    }));
}

TEST(TcpListener, several_share_a_port_that_the_kernel_chose) {
    auto listeners = TcpListener::open(loopback(), 3);
    ASSERT_TRUE(listeners) << listeners.error().message();
    ASSERT_EQ(listeners->size(), 3U);
    EXPECT_NE((*listeners)[0].local_address().port(), 0);
    EXPECT_EQ((*listeners)[0].local_address().port(), (*listeners)[2].local_address().port());
}

TEST(TcpListener, a_port_in_use_is_said_clearly_even_when_it_is_shared) {
    auto first = TcpListener::open(loopback(), 2);
    ASSERT_TRUE(first);
    const auto second = TcpListener::open((*first)[0].local_address(), 2);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::conflict);
    EXPECT_EQ(second.error().message(),
              "another program already listens on this address and port: " + (*first)[0].local_address().to_string());
}

TEST(TcpListener, what_it_accepts_sends_at_once_and_acknowledges_with_its_answer) {
    auto listeners = TcpListener::open(loopback());
    const auto client = TcpSocket::connect((*listeners)[0].local_address());
    Address peer;
    const auto server = (*listeners)[0].accept(peer);
    ASSERT_TRUE(server);
    const auto option = [&](int name) {
        int value = -1;
        socklen_t size = sizeof(value);
        EXPECT_EQ(::getsockopt(server->fd(), IPPROTO_TCP, name, &value, &size), 0);
        return value;
    };
    EXPECT_EQ(option(TCP_NODELAY), 1);
    EXPECT_EQ(option(TCP_QUICKACK), 0);
}

TEST(TcpListener, nobody_waiting_would_block) {
    auto listeners = TcpListener::open(loopback());
    Address peer;
    EXPECT_EQ((*listeners)[0].accept(peer).error().code, ErrorCode::would_block);
}

TEST(TcpListener, refuses_a_connection_when_no_descriptor_is_left) {
    auto listeners = TcpListener::open(loopback());
    const auto client = TcpSocket::connect((*listeners)[0].local_address());
    ASSERT_TRUE(client);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    Address peer;
    const auto refused = (*listeners)[0].accept(peer);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(refused);
    // With a limit of 0 even the spare cannot be reused; the caller tries again later.
    EXPECT_EQ(refused.error().code, ErrorCode::io);
    EXPECT_TRUE((*listeners)[0].accept(peer));
}

TEST(TcpSocket, connects_from_a_source_address_of_ones_own) {
    auto listeners = TcpListener::open(loopback());
    const auto client = TcpSocket::connect((*listeners)[0].local_address(), *Address::parse("127.3.2.1:0"));
    ASSERT_TRUE(client) << client.error().message();
    EXPECT_EQ(client->local_address().host(), "127.3.2.1");
}

TEST(TcpSocket, a_refused_connection_is_told) {
    auto reactor = *Reactor::create();
    Address nobody;
    {
        auto listeners = TcpListener::open(loopback());
        nobody = (*listeners)[0].local_address();
    }
    const auto client = TcpSocket::connect(nobody);
    if (!client) {
        return;  // the kernel said so at once
    }
    RecordingHandler handler;
    ASSERT_TRUE(reactor->add(client->fd(), handler, io_writable));
    ASSERT_TRUE(turn_until(*reactor, [&] { return handler.seen != 0; }));
    EXPECT_EQ(client->connect_result().error().code, ErrorCode::unavailable);
}

TEST(Reactor, runs_tasks_posted_from_another_thread) {
    auto reactor = *Reactor::create();
    std::thread::id ran_in;
    std::thread other([&] {
        reactor->post([&] {
            ran_in = std::this_thread::get_id();
            reactor->stop();
        });
    });
    reactor->run();
    other.join();
    EXPECT_EQ(ran_in, std::this_thread::get_id());
}

// Each waits for the other's task: one wake-up that is lost, and both sleep until the alarm.
TEST(Reactor, no_task_of_another_thread_is_slept_over) {
    class Alarm final : public Timer {
     public:
        explicit Alarm(Reactor& reactor) : reactor_(reactor) {}
        bool rang = false;

     private:
        void on_timer() override {
            rang = true;
            reactor_.stop();
        }
        Reactor& reactor_;
    };
    constexpr int rounds = 20'000;
    auto here = *Reactor::create();
    auto there = *Reactor::create();
    int left = rounds;
    std::function<void()> ping = [&] {
        if (--left == 0) {
            here->stop();
        }
        there->post([&] { left > 0 ? here->post(ping) : there->stop(); });
    };
    Alarm alarm(*here);
    here->timers().arm(alarm, here->monotonic() + Millis(30'000));
    std::thread other([&] { there->run(); });
    here->post(ping);
    here->run();
    there->stop();
    other.join();
    EXPECT_FALSE(alarm.rang) << left << " rounds were left";
}

TEST(Reactor, runs_timers_then_posted_then_deferred_then_the_hooks) {
    auto reactor = *Reactor::create();
    std::string order;
    reactor->at_turn_end([&] { order += "h"; });
    reactor->post([&] {
        reactor->defer([&] {
            order += "d";
            reactor->defer([&] { order += "e"; });
        });
        order += "p";
    });
    ASSERT_TRUE(turn_until(*reactor, [&] { return !order.empty(); }));
    EXPECT_EQ(order, "pdeh");
}

TEST(Reactor, fires_a_timer_although_no_descriptor_is_ready) {
    class StoppingTimer final : public Timer {
     public:
        explicit StoppingTimer(Reactor& reactor) : reactor_(reactor) {}

     private:
        void on_timer() override { reactor_.stop(); }
        Reactor& reactor_;
    };
    auto reactor = *Reactor::create();
    StoppingTimer timer(*reactor);
    const Millis deadline = reactor->monotonic() + Millis(30);
    reactor->timers().arm(timer, deadline);
    reactor->run();
    EXPECT_GE(reactor->monotonic(), deadline);
}

TEST(Reactor, a_stop_before_run_is_not_lost) {
    auto reactor = *Reactor::create();
    reactor->stop();
    reactor->run();
}

TEST(Reactor, with_a_pace_everything_still_runs) {
    auto reactor = *Reactor::create();
    int ran = 0;
    std::function<void()> task = [&] {
        if (++ran == 5) {
            reactor->stop();
        } else {
            reactor->post(task);
        }
    };
    reactor->post(task);
    reactor->run(Millis(1));
    EXPECT_EQ(ran, 5);
}

}  // namespace
}  // namespace muster::net
