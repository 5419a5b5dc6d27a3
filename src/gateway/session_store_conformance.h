#pragma once

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
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
    /// Stores and waits for the answer.
    static void keep(SessionStore& store, std::vector<SessionChange> changes, std::string_view gateway = "gw-1") {
        auto answer = std::make_shared<std::promise<bool>>();
        std::future<bool> stored = answer->get_future();
        store.store(gateway, std::move(changes),
                    [answer](const Result<void>& done) { answer->set_value(done.has_value()); });
        EXPECT_TRUE(stored.get());
    }
    static std::map<std::string, StoredSession> load(SessionStore& store, std::string_view gateway = "gw-1") {
        std::map<std::string, StoredSession> sessions;
        const Result<void> loaded = store.load(gateway, [&](StoredSession&& session) {
            EXPECT_FALSE(sessions.contains(session.key));
            const std::string key = session.key;
            sessions[key] = std::move(session);
        });
        EXPECT_TRUE(loaded);
        return sessions;
    }
    static SessionChange change(SessionChange::Kind kind, std::string session, std::uint64_t number = 0,
                                std::string value = {}) {
        return {.kind = kind, .session = std::move(session), .number = number, .value = std::move(value)};
    }
    static std::string messages_of(const StoredSession& session) {
        std::string text;
        for (const StoredSession::Message& message : session.messages) {
            text += std::to_string(message.number) + ":" + message.value + " ";
        }
        return text;
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

TEST_P(SessionStoreConformance, a_kept_session_is_there_after_a_restart_with_its_messages_in_order) {
    using Kind = SessionChange::Kind;
    const std::string document("any\0bytes", 9);
    keep(store(), {change(Kind::put_message, "dev-1", 300, "third"), change(Kind::put_session, "dev-1", 0, document),
                   change(Kind::put_message, "dev-1", 2, "first"), change(Kind::put_packet_id, "dev-1", 65'535)});
    keep(store(), {change(Kind::put_message, "dev-1", 256, "second"), change(Kind::put_packet_id, "dev-1", 7)});
    restart();
    const auto sessions = load(store());
    ASSERT_EQ(sessions.size(), 1U);
    const StoredSession& session = sessions.at("dev-1");
    EXPECT_EQ(session.document, document);
    EXPECT_EQ(messages_of(session), "2:first 256:second 300:third ");
    EXPECT_EQ(std::set<std::uint16_t>(session.packet_ids.begin(), session.packet_ids.end()),
              (std::set<std::uint16_t>{7, 65'535}));
}

TEST_P(SessionStoreConformance, later_changes_replace_and_erase_earlier_ones) {
    using Kind = SessionChange::Kind;
    keep(store(), {change(Kind::put_session, "dev-1", 0, "old"), change(Kind::put_message, "dev-1", 1, "whole"),
                   change(Kind::put_message, "dev-1", 2, "x"), change(Kind::put_packet_id, "dev-1", 9),
                   change(Kind::erase_message, "dev-1", 2)});
    keep(store(), {change(Kind::put_session, "dev-1", 0, "new"), change(Kind::put_message, "dev-1", 1, "released"),
                   change(Kind::erase_packet_id, "dev-1", 9), change(Kind::erase_message, "dev-1", 77)});
    const auto sessions = load(store());
    EXPECT_EQ(sessions.at("dev-1").document, "new");
    EXPECT_EQ(messages_of(sessions.at("dev-1")), "1:released ");
    EXPECT_TRUE(sessions.at("dev-1").packet_ids.empty());
    keep(store(), {change(Kind::erase_message, "dev-1", 1), change(Kind::erase_session, "dev-1")});
    EXPECT_TRUE(load(store()).empty());
}

TEST_P(SessionStoreConformance, rows_without_a_document_are_told_as_well) {
    keep(store(), {change(SessionChange::Kind::put_message, "dev-1", 1, "x")});
    const auto sessions = load(store());
    ASSERT_EQ(sessions.size(), 1U);
    EXPECT_TRUE(sessions.at("dev-1").document.empty());
}

TEST_P(SessionStoreConformance, sessions_of_other_gateways_and_other_names_stand_apart) {
    using Kind = SessionChange::Kind;
    keep(store(), {change(Kind::put_session, "dev", 0, "1"), change(Kind::put_session, "dev-1", 0, "2")});
    keep(store(), {change(Kind::put_message, "dev", 1, "m"), change(Kind::put_session, "/operator/a b", 0, "3")});
    keep(store(), {change(Kind::put_session, "dev", 0, "another")}, "gw");
    const auto sessions = load(store());
    EXPECT_EQ(sessions.size(), 3U);
    EXPECT_EQ(sessions.at("dev").document, "1");
    EXPECT_EQ(sessions.at("dev").messages.size(), 1U);
    EXPECT_EQ(sessions.at("dev-1").messages.size(), 0U);
    EXPECT_EQ(load(store(), "gw").at("dev").document, "another");
}

TEST_P(SessionStoreConformance, batches_are_answered_in_their_order) {
    constexpr int batches = 100;
    std::mutex mutex;
    std::vector<int> answered;
    std::promise<void> all;
    for (int i = 0; i < batches; ++i) {
        store().store("gw-1", {change(SessionChange::Kind::put_session, "dev-1", 0, std::to_string(i))},
                      [&, i](const Result<void>& done) {
                          EXPECT_TRUE(done);
                          const std::lock_guard lock(mutex);
                          answered.push_back(i);
                          if (answered.size() == batches) {
                              all.set_value();
                          }
                      });
    }
    all.get_future().get();
    EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end()));
    EXPECT_EQ(load(store()).at("dev-1").document, std::to_string(batches - 1));
}

TEST_P(SessionStoreConformance, an_empty_batch_is_answered_after_those_before_it) {
    std::atomic<bool> first{false};
    store().store("gw-1", {change(SessionChange::Kind::put_session, "dev-1", 0, "x")},
                  [&](const Result<void>&) { first = true; });
    keep(store(), {});
    EXPECT_TRUE(first);
}

}  // namespace muster
