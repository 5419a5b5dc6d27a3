#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
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
        return claim_later(store, device, gateway).get().value_or(SessionClaim{}).epoch;
    }
    static std::future<Result<SessionClaim>> claim_later(SessionStore& store, std::string_view session,
                                                         std::string_view gateway) {
        auto answer = std::make_shared<std::promise<Result<SessionClaim>>>();
        store.claim(session, gateway, [answer](Result<SessionClaim> given) {
            EXPECT_TRUE(given) << given.error().message();
            answer->set_value(std::move(given));
        });
        return answer->get_future();
    }
    /// A gateway that is told what it loses: gives it up at once, or when the test says so.
    class Holder {
     public:
        Holder(SessionStore& store, std::string name) : store_(store), name_(std::move(name)) {
            auto watched = store.watch(name_, [this](const LostSession& one) { on_lost(one); });
            EXPECT_TRUE(watched);
            handle_ = std::move(*watched);
        }
        void hold_on() {
            const std::lock_guard lock(mutex_);
            holds_on_ = true;
        }
        /// Of what it holds on to, the first that it was told.
        LostSession lost() {
            std::unique_lock lock(mutex_);
            EXPECT_TRUE(told_.wait_for(lock, std::chrono::seconds(30), [this] { return !lost_.empty(); }));
            return lost_.empty() ? LostSession{} : lost_.front();
        }
        /// What it was told, and from now on at once.
        void give_up() {
            (void)lost();
            std::vector<LostSession> all;
            {
                const std::lock_guard lock(mutex_);
                holds_on_ = false;
                all.swap(lost_);
            }
            for (const LostSession& one : all) {
                store_.give_up(name_, one);
            }
        }
        void go() { handle_.reset(); }

     private:
        void on_lost(const LostSession& one) {
            {
                const std::lock_guard lock(mutex_);
                if (holds_on_) {
                    lost_.push_back(one);
                    told_.notify_all();
                    return;
                }
            }
            store_.give_up(name_, one);
        }

        SessionStore& store_;
        const std::string name_;
        std::mutex mutex_;
        std::condition_variable told_;
        bool holds_on_ = false;
        std::vector<LostSession> lost_;
        std::shared_ptr<void> handle_;
    };
    static bool is_answered(const std::future<Result<SessionClaim>>& claim) {
        return claim.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
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
    const auto add = [&](int number) {
        const std::lock_guard lock(mutex);
        answered.push_back(number);
        return answered.size();
    };
    for (int i = 0; i < batches; ++i) {
        store().store("gw-1", {change(SessionChange::Kind::put_session, "dev-1", 0, std::to_string(i))},
                      [&, i](const Result<void>& done) {
                          EXPECT_TRUE(done);
                          if (add(i) == batches) {
                              all.set_value();  // the last thing: the test goes on, and takes its locals with it
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

TEST_P(SessionStoreConformance, a_claim_takes_over_what_a_gateway_that_is_gone_had_stored) {
    using Kind = SessionChange::Kind;
    ASSERT_TRUE(store().begin_incarnation("gw-1"));
    (void)claim(store(), "dev-1", "gw-1");
    keep(store(), {change(Kind::put_session, "dev-1", 0, "document"), change(Kind::put_message, "dev-1", 2, "second"),
                   change(Kind::put_message, "dev-1", 1, "first"), change(Kind::put_packet_id, "dev-1", 7),
                   change(Kind::put_session, "dev-2", 0, "another")});
    restart();
    const auto claimed = claim_later(store(), "dev-1", "gw-2").get();
    ASSERT_TRUE(claimed && claimed->taken);
    EXPECT_EQ(claimed->taken->key, "dev-1");
    EXPECT_EQ(claimed->taken->document, "document");
    EXPECT_EQ(messages_of(*claimed->taken), "1:first 2:second ");
    EXPECT_EQ(claimed->taken->packet_ids, (std::vector<std::uint16_t>{7}));
    EXPECT_EQ(load(store(), "gw-1").size(), 1U) << "the other session";
    EXPECT_EQ(messages_of(load(store(), "gw-2").at("dev-1")), "1:first 2:second ");
    const auto again = claim_later(store(), "dev-1", "gw-2").get();
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->taken) << "it is here";
}

TEST_P(SessionStoreConformance, a_gateway_that_holds_the_session_is_told_and_waited_for) {
    using Kind = SessionChange::Kind;
    Holder first(store(), "gw-1");
    const Holder second(store(), "gw-2");
    const SessionEpoch before = claim(store(), "dev-1", "gw-1");
    first.hold_on();
    auto claimed = claim_later(store(), "dev-1", "gw-2");
    const LostSession lost = first.lost();
    EXPECT_EQ(lost.session, "dev-1");
    EXPECT_EQ(lost.claimed_by, "gw-2");
    EXPECT_GT(lost.epoch, before);
    EXPECT_FALSE(is_answered(claimed));
    keep(store(), {change(Kind::put_session, "dev-1", 0, "the last of it")}, "gw-1");
    first.give_up();
    const auto answer = claimed.get();
    ASSERT_TRUE(answer && answer->taken);
    EXPECT_EQ(answer->epoch, lost.epoch);
    EXPECT_EQ(answer->taken->document, "the last of it");
    EXPECT_TRUE(load(store(), "gw-1").empty());
}

TEST_P(SessionStoreConformance, claims_behind_one_that_waits_are_answered_after_it) {
    Holder first(store(), "gw-1");
    const Holder second(store(), "gw-2");
    (void)claim(store(), "dev-1", "gw-1");
    keep(store(), {change(SessionChange::Kind::put_session, "dev-1", 0, "x")}, "gw-1");
    first.hold_on();
    auto one = claim_later(store(), "dev-1", "gw-2");
    auto two = claim_later(store(), "dev-1", "gw-2");
    (void)first.lost();
    EXPECT_FALSE(is_answered(two));
    first.give_up();
    const auto answer = one.get();
    const auto later = two.get();
    ASSERT_TRUE(answer && later);
    EXPECT_TRUE(answer->taken);
    EXPECT_FALSE(later->taken);
    EXPECT_LT(answer->epoch, later->epoch);
}

TEST_P(SessionStoreConformance, a_session_that_goes_on_to_a_third_gateway_is_there_in_its_turn) {
    Holder first(store(), "gw-1");
    Holder second(store(), "gw-2");
    const Holder third(store(), "gw-3");
    (void)claim(store(), "dev-1", "gw-1");
    keep(store(), {change(SessionChange::Kind::put_session, "dev-1", 0, "x")}, "gw-1");
    first.hold_on();
    second.hold_on();
    auto one = claim_later(store(), "dev-1", "gw-2");
    (void)first.lost();
    auto two = claim_later(store(), "dev-1", "gw-3");
    first.give_up();
    ASSERT_TRUE(one.get()->taken) << "the second gateway is not told before it has it";
    EXPECT_EQ(second.lost().claimed_by, "gw-3");
    second.give_up();
    const auto answer = two.get();
    ASSERT_TRUE(answer && answer->taken);
    EXPECT_EQ(answer->taken->document, "x");
}

TEST_P(SessionStoreConformance, a_gateway_that_stops_watching_is_not_waited_for) {
    Holder first(store(), "gw-1");
    const Holder second(store(), "gw-2");
    (void)claim(store(), "dev-1", "gw-1");
    first.hold_on();
    auto claimed = claim_later(store(), "dev-1", "gw-2");
    (void)first.lost();
    first.go();
    EXPECT_TRUE(claimed.get());
    EXPECT_TRUE(claim_later(store(), "dev-2", "gw-2").get());
}

}  // namespace muster
