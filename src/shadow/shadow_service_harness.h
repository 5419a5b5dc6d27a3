#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "contract/mqtt_topics.h"
#include "shadow/documents.h"
#include "shadow/memory_document_store.h"
#include "shadow/shadow_service.h"

namespace muster {

/// Drives a ShadowService as its role does, on one partition of a bus that is a vector, with a clock that stands still.
class ShadowServiceTest : public ::testing::Test {
 protected:
    static constexpr Partition partition = 3;

    ShadowServiceTest() { start(); }

    // ---- what happens ----
    void device(std::string_view id, std::string_view topic, std::string_view payload, SessionEpoch epoch = 1) {
        add(EventKind::publish, id, "gw-1", topic, payload, epoch);
    }
    void shadow(std::string_view id, std::string_view operation, std::string_view payload, SessionEpoch epoch = 1) {
        device(id, shadow_topic(id, operation), payload, epoch);
    }
    void subscribed(std::string_view id, std::string_view filter, SessionEpoch epoch = 1,
                    std::string_view gateway = "gw-1") {
        add(EventKind::subscribed, id, gateway, filter, "", epoch);
    }
    void takes_commands(std::string_view id, SessionEpoch epoch = 1) {
        subscribed(id, command_topic(id, "+", "request/json"), epoch);
    }
    void api(std::string_view id, std::string_view topic, std::string_view body) {
        add(EventKind::api_request, id, "api-1", topic, body, 0);
    }
    void status(std::string_view id, PresenceState state, SessionEpoch epoch, Cause cause = Cause::connect) {
        StatusDocument document;
        document.id = id;
        document.state = state;
        document.cause = cause;
        document.epoch = epoch;
        document.gateway = "gw-1";
        service_->on_status(partition, id, to_json(document));
    }
    void online(std::string_view id, SessionEpoch epoch = 1) { status(id, PresenceState::online, epoch); }
    void offline(std::string_view id, SessionEpoch epoch = 1) {
        status(id, PresenceState::offline, epoch, Cause::connection_lost);
    }
    void advance(Millis by) { now_ += by; }

    /// Ends the turn as the role does: settle, commit, send, commit the offset. Returns what was sent.
    std::vector<Downlink> turn() {
        service_->settle(now_);
        return end_turn();
    }
    std::vector<Downlink> end_turn() {
        service_->finish();
        EXPECT_TRUE(store_.commit(service_->writes()));
        std::vector<Downlink> sent = service_->downlinks();
        committed_ = records_.size();
        service_->end_turn();
        return sent;
    }
    /// kill -9 after the store's commit and before anything else; the next start reads again from the committed offset.
    void die_after_commit_and_restart() {
        service_->finish();
        EXPECT_TRUE(store_.commit(service_->writes()));
        restart();
    }
    /// kill -9 before the store's commit.
    void die_and_restart() { restart(); }
    void restart() {
        start();
        for (std::size_t offset = committed_; offset < records_.size(); ++offset) {
            hand_out(offset);
        }
    }

    // ---- what came of it ----
    [[nodiscard]] static const Downlink* find(const std::vector<Downlink>& sent, std::string_view topic) {
        const auto found =
            std::find_if(sent.begin(), sent.end(), [&](const Downlink& one) { return one.topic == topic; });
        return found == sent.end() ? nullptr : &*found;
    }
    /// The payload of the one message on this topic; null when there is none or more than one.
    [[nodiscard]] static boost::json::value payload(const std::vector<Downlink>& sent, std::string_view topic) {
        const auto count =
            std::count_if(sent.begin(), sent.end(), [&](const Downlink& one) { return one.topic == topic; });
        return count == 1 ? boost::json::parse(find(sent, topic)->payload) : boost::json::value(nullptr);
    }
    [[nodiscard]] static const Downlink& only_reply(const std::vector<Downlink>& sent) {
        static const Downlink none;
        const auto is_reply = [](const Downlink& one) { return one.kind == DownlinkKind::reply; };
        EXPECT_EQ(std::count_if(sent.begin(), sent.end(), is_reply), 1);
        const auto found = std::find_if(sent.begin(), sent.end(), is_reply);
        return found == sent.end() ? none : *found;
    }
    [[nodiscard]] static boost::json::value body(const Downlink& reply) { return boost::json::parse(reply.payload); }

    /// Asks for a command and gives its execution id; empty when that was refused.
    std::string command(std::string_view id, std::string_view body_text = R"({"name":"reboot"})") {
        api(id, create_command_topic, body_text);
        last_sent_ = turn();
        const Downlink& reply = only_reply(last_sent_);
        return reply.status < 300 ? std::string(body(reply).at("execution_id").as_string()) : std::string();
    }
    [[nodiscard]] boost::json::value stored_command(std::string_view execution_id) const {
        const auto text = read_command(store_, execution_id);
        return text && *text ? boost::json::parse(**text) : boost::json::value(nullptr);
    }
    [[nodiscard]] std::string status_of(std::string_view execution_id) const {
        const auto stored = stored_command(execution_id);
        return stored.is_object() ? std::string(stored.at("status").as_string()) : "(none)";
    }
    [[nodiscard]] std::string steps_of(std::string_view execution_id) const {
        std::string steps;
        const boost::json::value stored = stored_command(execution_id);
        for (const auto& step : stored.at("steps").as_array()) {
            steps.append(steps.empty() ? "" : " ").append(step.at("status").as_string());
        }
        return steps;
    }
    /// The value of the metric whose rendered line begins so, with its labels and a space; 0 when there is none.
    [[nodiscard]] double counter(std::string_view line) const {
        const std::string text = registry_.render();
        const std::size_t at = text.find("\n" + std::string(line));
        return at == std::string::npos ? 0 : std::stod(text.substr(at + 1 + line.size()));
    }

    MetricRegistry registry_;
    MemoryDocumentStore store_;
    ShadowLimits limits_;
    std::unique_ptr<ShadowService> service_;
    Timestamp now_ = from_epoch_ms(1'700'000'000'000);
    std::vector<Downlink> last_sent_;

    void start() {
        service_ = std::make_unique<ShadowService>(store_, registry_, limits_);
        EXPECT_TRUE(service_->assign(partition));
    }

 private:
    struct Record {
        std::string header;
        std::string key;
        std::string value;
    };

    void add(EventKind kind, std::string_view key, std::string_view gateway, std::string_view topic,
             std::string_view value, SessionEpoch epoch) {
        EventHeader header;
        header.kind = kind;
        header.epoch = epoch;
        header.sequence = records_.size() + 100;
        header.received = now_;
        header.gateway = gateway;
        header.topic = topic;
        std::string packed;
        encode(header, packed);
        records_.push_back({packed, std::string(key), std::string(value)});
        hand_out(records_.size() - 1);
    }
    void hand_out(std::size_t offset) {
        const Record& record = records_[offset];
        service_->on_request(partition, static_cast<Offset>(offset), record.header, record.key, record.value);
    }

    std::vector<Record> records_;
    std::size_t committed_ = 0;
};

}  // namespace muster
