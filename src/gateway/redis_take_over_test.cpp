#include "gateway/redis_session_store.h"
#include "gateway/take_over_conformance.h"
#include "storage/redis_test_server.h"

namespace muster {
namespace {

class SharedRedisStore final : public SharedSessionStore {
 public:
    SessionStore& store() override { return *store_; }

 private:
    RedisTestServer server_;
    MetricRegistry metrics_;
    std::unique_ptr<SessionStore> store_ = std::move(*RedisSessionStore::open({.redis = server_.options()}, metrics_));
};

INSTANTIATE_TEST_SUITE_P(Redis, TakeOver, ::testing::Values([] { return std::make_unique<SharedRedisStore>(); }));

}  // namespace
}  // namespace muster
