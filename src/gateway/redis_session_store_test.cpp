#include "gateway/redis_session_store.h"

#include "gateway/session_store_conformance.h"
#include "storage/redis_test_server.h"

namespace muster {
namespace {

class RedisPlace final : public SessionStorePlace {
 public:
    std::unique_ptr<SessionStore> open() override {
        auto opened = RedisSessionStore::open({.redis = server_.options()}, metrics_);
        EXPECT_TRUE(opened) << opened.error().message();
        return std::move(*opened);
    }

 private:
    RedisTestServer server_;
    MetricRegistry metrics_;
};

std::unique_ptr<SessionStorePlace> make_redis_place() {
    return std::make_unique<RedisPlace>();
}

INSTANTIATE_TEST_SUITE_P(Redis, SessionStoreConformance, ::testing::Values(&make_redis_place));

/// A store on a server of its own.
class RedisSessions : public ::testing::Test {
 protected:
    RedisSessions() { open(); }

    void open(RedisSessionStoreOptions options = {}) {
        store_.reset();
        options.redis = server_.options();
        auto opened = RedisSessionStore::open(std::move(options), metrics_);
        ASSERT_TRUE(opened) << opened.error().message();
        store_ = std::move(*opened);
    }
    Result<SessionEpoch> claim(const std::string& device = "dev-1", const std::string& gateway = "gw-1") {
        std::promise<Result<SessionEpoch>> answer;
        store_->claim(device, gateway, [&](Result<SessionClaim> given) {
            answer.set_value(given.map([](const SessionClaim& one) { return one.epoch; }));
        });
        return answer.get_future().get();
    }
    std::future<bool> store(std::string value, const std::string& gateway = "gw-1") {
        auto answer = std::make_shared<std::promise<bool>>();
        store_->store(gateway, {{.session = "dev-1", .value = std::move(value)}},
                      [answer](const Result<void>& done) { answer->set_value(done.has_value()); });
        return answer->get_future();
    }
    std::string stored_document(const std::string& gateway = "gw-1") {
        std::string document;
        EXPECT_TRUE(store_->load(gateway, [&](StoredSession&& session) { document = session.document; }));
        return document;
    }
    /// Until Redis is asked again after it was away.
    SessionEpoch claim_again() {
        for (int attempt = 0; attempt < 1000; ++attempt) {
            if (const auto epoch = claim()) {
                return *epoch;
            }
            std::this_thread::sleep_for(Millis(10));
        }
        ADD_FAILURE() << "Redis is not used again";
        return 0;
    }

    RedisTestServer server_;
    MetricRegistry metrics_;
    std::unique_ptr<RedisSessionStore> store_;
};

TEST_F(RedisSessions, epochs_and_incarnations_do_not_go_back_with_a_server_that_has_lost_everything) {
    const auto before = claim();
    const auto incarnation = store_->begin_incarnation("gw-1");
    ASSERT_TRUE(before && incarnation);
    server_.restart_empty();
    open();  // another process, which knows nothing of the epochs that were
    const auto after = claim();
    ASSERT_TRUE(after);
    EXPECT_GT(*after, *before);
    const auto next = store_->begin_incarnation("gw-1");
    ASSERT_TRUE(next);
    EXPECT_GT(*next, *incarnation);
}

TEST_F(RedisSessions, epochs_do_not_go_back_with_a_server_whose_clock_is_behind) {
    const auto connection = RedisConnection::open(server_.options());
    ASSERT_TRUE(connection);
    // What a server an hour ahead has given before it was lost.
    const auto now = std::chrono::system_clock::now().time_since_epoch() + std::chrono::hours(1);
    const auto ahead = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    ASSERT_TRUE((*connection)->command({"HSET", "muster:session:{dev-2}", "e", std::to_string(ahead)}));
    const auto before = claim("dev-2");
    ASSERT_TRUE(before);
    EXPECT_EQ(*before, static_cast<SessionEpoch>(ahead) + 1);
    server_.restart_empty();
    EXPECT_GT(claim_again(), *before);
}

TEST_F(RedisSessions, a_claim_is_refused_at_once_while_redis_is_away_and_answered_when_it_is_back) {
    const auto before = claim();
    ASSERT_TRUE(before);
    server_.kill();
    const auto refused = claim();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
    server_.restart();
    EXPECT_GT(claim_again(), *before);
}

TEST_F(RedisSessions, changes_wait_for_redis_and_are_stored_in_order_when_it_is_back) {
    ASSERT_TRUE(store("first").get());
    server_.kill();
    auto second = store("second");
    auto third = store("third");
    server_.restart();
    EXPECT_TRUE(second.get());
    EXPECT_TRUE(third.get());
    EXPECT_EQ(stored_document(), "third");
}

TEST_F(RedisSessions, changes_are_given_up_when_redis_stays_away_too_long) {
    open({.patience = Millis(50)});
    server_.kill();
    EXPECT_FALSE(store("lost").get());
    EXPECT_NE(metrics_.render().find("muster_sessions_batches_given_up_total 1"), std::string::npos);
}

TEST_F(RedisSessions, a_store_that_ends_while_redis_is_away_answers_everybody) {
    server_.kill();
    auto answer = store("lost");
    store_.reset();
    EXPECT_FALSE(answer.get());
}

TEST_F(RedisSessions, a_gateway_that_does_not_answer_is_not_waited_for_long_and_can_store_no_more) {
    open({.hand_over_max = Millis(30)});
    const auto watched = store_->watch("gw-1", [](const LostSession&) {});
    ASSERT_TRUE(watched);
    ASSERT_TRUE(claim("dev-1", "gw-1"));
    ASSERT_TRUE(store("mine").get());
    ASSERT_TRUE(claim("dev-1", "gw-2"));
    EXPECT_FALSE(store("too late").get());
    EXPECT_EQ(stored_document("gw-1"), "");
    EXPECT_EQ(stored_document("gw-2"), "mine");
    const std::string metrics = metrics_.render();
    EXPECT_NE(metrics.find("muster_sessions_fenced_total 1"), std::string::npos);
    EXPECT_NE(metrics.find("muster_sessions_hand_overs_total{outcome=\"late\"} 1"), std::string::npos);
}

TEST_F(RedisSessions, a_notice_waits_for_a_gateway_that_was_cut_off) {
    std::promise<LostSession> told;
    const auto watched = store_->watch("gw-1", [&](const LostSession& lost) { told.set_value(lost); });
    ASSERT_TRUE(watched);
    ASSERT_TRUE(claim("dev-1", "gw-1"));
    server_.restart();
    (void)claim_again();
    MetricRegistry other_metrics;
    auto other = RedisSessionStore::open({.redis = server_.options()}, other_metrics);
    ASSERT_TRUE(other);
    (*other)->claim("dev-1", "gw-2", [](const Result<SessionClaim>&) {});
    EXPECT_EQ(told.get_future().get().claimed_by, "gw-2");
}

TEST_F(RedisSessions, a_store_that_ends_answers_claims_that_wait_for_another_gateway) {
    auto watched = store_->watch("gw-1", [](const LostSession&) {});
    ASSERT_TRUE(watched);
    ASSERT_TRUE(claim("dev-1", "gw-1"));
    std::promise<bool> answer;
    store_->claim("dev-1", "gw-2", [&](const Result<SessionClaim>& given) { answer.set_value(given.has_value()); });
    watched->reset();
    store_.reset();
    (void)answer.get_future().get();
}

TEST_F(RedisSessions, more_claims_than_the_bound_are_refused) {
    open({.claims_waiting_max = 0});
    EXPECT_FALSE(claim());
}

TEST(RedisSessionStore, a_server_that_is_not_there_is_a_clear_error) {
    MetricRegistry metrics;
    const auto store = RedisSessionStore::open({.redis = {.port = 1}}, metrics);
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().message().find("redis://127.0.0.1:1"), std::string::npos) << store.error().message();
}

}  // namespace
}  // namespace muster
