#pragma once

#include <algorithm>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "gateway/session_store.h"

namespace muster {

/// One place where sessions are kept, for the suite below: every implementation of the SessionStore port gives one.
/// open() opens the same place again and again, as after a restart; at most one store is open at a time.
class SessionStorePlace {
 public:
    virtual ~SessionStorePlace() = default;
    [[nodiscard]] virtual std::unique_ptr<SessionStore> open() = 0;
};

/// What every SessionStore must do. Use: INSTANTIATE_TEST_SUITE_P(Embedded, SessionStoreConformance,
/// Values(&make_place)).
class SessionStoreConformance : public ::testing::TestWithParam<std::unique_ptr<SessionStorePlace> (*)()> {
 protected:
    void SetUp() override {
        place_ = GetParam()();
        store_ = place_->open();
    }
    void restart() {
        store_.reset();
        store_ = place_->open();
    }
    SessionStore& store() { return *store_; }

    /// Claims and waits for the answer, from whichever thread it comes.
    static SessionEpoch claim(SessionStore& store, std::string_view device, std::string_view gateway = "gw-1") {
        auto answer = std::make_shared<std::promise<Result<SessionEpoch>>>();
        std::future<Result<SessionEpoch>> epoch = answer->get_future();
        store.claim(device, gateway, [answer](Result<SessionEpoch> given) { answer->set_value(std::move(given)); });
        const Result<SessionEpoch> given = epoch.get();
        EXPECT_TRUE(given) << given.error().message();
        return given.value_or(0);
    }

 private:
    std::unique_ptr<SessionStorePlace> place_;
    std::unique_ptr<SessionStore> store_;
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SessionStoreConformance);

TEST_P(SessionStoreConformance, an_epoch_is_never_0) {
    EXPECT_GT(claim(store(), "device-1"), 0U);
}

TEST_P(SessionStoreConformance, each_claim_of_a_device_gets_a_larger_epoch_on_whichever_gateway) {
    const SessionEpoch first = claim(store(), "device-1", "gw-1");
    const SessionEpoch second = claim(store(), "device-1", "gw-2");
    const SessionEpoch third = claim(store(), "device-1", "gw-1");
    EXPECT_LT(first, second);
    EXPECT_LT(second, third);
}

TEST_P(SessionStoreConformance, epochs_grow_across_restarts) {
    const SessionEpoch before = claim(store(), "device-1");
    restart();
    const SessionEpoch between = claim(store(), "device-1");
    restart();
    EXPECT_LT(before, between);
    EXPECT_LT(between, claim(store(), "device-1"));
}

TEST_P(SessionStoreConformance, incarnations_grow_with_every_start_and_across_restarts) {
    const Incarnation first = *store().begin_incarnation("gw-1");
    const Incarnation second = *store().begin_incarnation("gw-1");
    restart();
    const Incarnation third = *store().begin_incarnation("gw-1");
    EXPECT_GT(first, 0U);
    EXPECT_LT(first, second);
    EXPECT_LT(second, third);
}

TEST_P(SessionStoreConformance, claims_from_several_threads_are_all_different) {
    constexpr std::size_t threads = 4;
    constexpr std::size_t claims = 200;
    std::vector<std::vector<SessionEpoch>> given(threads);
    std::vector<std::thread> claimers;
    for (std::size_t i = 0; i < threads; ++i) {
        claimers.emplace_back([this, &mine = given[i]] {
            for (std::size_t n = 0; n < claims; ++n) {
                mine.push_back(claim(store(), "device-1"));
            }
        });
    }
    std::vector<SessionEpoch> all;
    for (std::size_t i = 0; i < threads; ++i) {
        claimers[i].join();
        EXPECT_TRUE(std::is_sorted(given[i].begin(), given[i].end()));
        all.insert(all.end(), given[i].begin(), given[i].end());
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

}  // namespace muster
