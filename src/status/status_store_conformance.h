#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "status/status_store.h"

namespace muster {

// What every implementation of the StatusStore port must do. A test program of an implementation includes this header
// and says
//   INSTANTIATE_TEST_SUITE_P(Redis, StatusStoreConformance, ::testing::Values([] { return std::make_unique<…>(); }));

/// One implementation with its server or directory, as the suite needs it.
class StatusStoreUnderTest {
 public:
    virtual ~StatusStoreUnderTest() = default;
    [[nodiscard]] virtual StatusStore& store() = 0;
    /// Ends the store and starts it again on what it stored.
    virtual void restart() = 0;
};

using StatusStoreFactory = std::function<std::unique_ptr<StatusStoreUnderTest>()>;

/// The plainest right store: what a model-based test compares with.
class StatusModel final {
 public:
    void apply(const StatusDocument& document) {
        const auto known = devices_.find(document.id);
        if (known != devices_.end() && document.offset <= known->second.document.offset) {
            return;
        }
        DeviceStatus& device = devices_[document.id];
        device.document = document;
        device.last_seen = std::max(device.last_seen, document.last_seen);
    }

    void touch(const StatusTouch& touch) {
        const auto known = devices_.find(std::string(touch.id));
        if (known == devices_.end()) {
            return;
        }
        DeviceStatus& device = known->second;
        device.last_seen = std::max(device.last_seen, touch.last_seen);
        if (touch.telemetry_time == Timestamp{} || touch.telemetry_time < device.telemetry_time) {
            return;
        }
        device.telemetry_time = touch.telemetry_time;
        std::map<std::string, double> metrics(device.metrics.begin(), device.metrics.end());
        for (const auto& [name, value] : touch.metrics) {
            if (metrics.size() < latest_metrics_max || metrics.contains(std::string(name))) {
                metrics[std::string(name)] = value;
            }
        }
        device.metrics.assign(metrics.begin(), metrics.end());
    }

    [[nodiscard]] const std::map<std::string, DeviceStatus>& devices() const { return devices_; }

    [[nodiscard]] std::map<std::string, RegionCounts> regions() const {
        std::map<std::string, RegionCounts> result;
        for (const auto& [id, device] : devices_) {
            for_each_region_of(device.document.attributes.region,
                               [&, &document = device.document](std::string_view each) {
                                   result[std::string(each)] += contribution_of(document);
                               });
        }
        return result;
    }

    [[nodiscard]] std::vector<std::string> list(const DeviceFilter& filter) const {
        std::vector<std::string> ids;
        for (const auto& [id, device] : devices_) {
            const StatusDocument& document = device.document;
            const std::string& region = document.attributes.region;
            if ((!filter.state || document.state == *filter.state) &&
                (!filter.overlay || has(document.overlays, *filter.overlay)) &&
                (filter.region.empty() || region == filter.region || region.starts_with(filter.region + "/")) &&
                (filter.model.empty() || document.attributes.model == filter.model) &&
                id.starts_with(filter.id_prefix)) {
                ids.push_back(id);
            }
        }
        return ids;
    }

 private:
    std::map<std::string, DeviceStatus> devices_;
};

class StatusStoreConformance : public ::testing::TestWithParam<StatusStoreFactory> {
 protected:
    void SetUp() override { under_test_ = GetParam()(); }

    StatusStore& store() { return under_test_->store(); }
    void restart() { under_test_->restart(); }

    static StatusDocument document(const std::string& id, PresenceState state, std::int64_t offset,
                                   const std::string& region = "in/ka") {
        StatusDocument made;
        made.id = id;
        made.state = state;
        made.cause = Cause::connect;
        made.since = from_epoch_ms(1000 + offset);
        made.last_seen = from_epoch_ms(1000 + offset);
        made.first_seen = from_epoch_ms(500);
        made.epoch = (1ULL << 40U) + static_cast<std::uint64_t>(offset);
        made.incarnation = 3;
        made.gateway = "gw-1";
        made.keep_alive_s = 60;
        made.detected_in_ms = 12;
        made.flap_penalty = 0.25;
        made.disconnects = 2;
        made.client_address = "127.0.0.9:40000";
        made.protocol = "3.1.1";
        made.attributes.region = region;
        made.attributes.model = "pump";
        made.attributes.firmware = "1.2.3";
        made.attributes.carrier = "airtel";
        made.attributes.latitude = 12.971599;
        made.attributes.longitude = 77.594566;
        made.attributes.heartbeat_timeout_s = 90;
        made.offset = offset;
        return made;
    }

    void apply(const StatusDocument& one) {
        const auto applied = store().apply({&one, 1}, {});
        ASSERT_TRUE(applied) << applied.error().message();
    }
    void touch(const StatusTouch& one) {
        const auto applied = store().apply({}, {&one, 1});
        ASSERT_TRUE(applied) << applied.error().message();
    }
    DeviceStatus get(const std::string& id) {
        const auto got = store().get(id);
        EXPECT_TRUE(got && *got) << id;
        return got && *got ? **got : DeviceStatus{};
    }
    std::vector<std::string> list_all(const DeviceFilter& filter, std::size_t limit) {
        std::vector<std::string> ids;
        std::string after;
        do {
            const auto page = store().list(filter, after, limit);
            EXPECT_TRUE(page);
            if (!page) {
                break;
            }
            EXPECT_LE(page->devices.size(), limit);
            for (const DeviceStatus& device : page->devices) {
                ids.push_back(device.document.id);
            }
            after = page->next_after;
        } while (!after.empty());
        return ids;
    }
    static void expect_same(const DeviceStatus& left, const DeviceStatus& right) {
        EXPECT_EQ(to_json(left.document), to_json(right.document));
        EXPECT_EQ(left.last_seen, right.last_seen) << left.document.id;
        EXPECT_EQ(left.telemetry_time, right.telemetry_time) << left.document.id;
        EXPECT_EQ(left.metrics, right.metrics) << left.document.id;
    }
    void expect_same(const StatusModel& model) {
        for (const auto& [id, device] : model.devices()) {
            expect_same(get(id), device);
        }
        auto regions = store().regions();
        ASSERT_TRUE(regions);
        // A region that had a device may be forgotten by a restart.
        std::erase_if(*regions, [](const auto& one) { return one.second.total() == 0; });
        const auto expected = model.regions();
        EXPECT_EQ(*regions, (std::vector<std::pair<std::string, RegionCounts>>(expected.begin(), expected.end())));
    }

    std::unique_ptr<StatusStoreUnderTest> under_test_;
};

TEST_P(StatusStoreConformance, a_document_comes_out_as_it_went_in) {
    const StatusDocument one = document("d1", PresenceState::online, 5);
    apply(one);
    const DeviceStatus device = get("d1");
    EXPECT_EQ(to_json(device.document), to_json(one));
    EXPECT_EQ(device.last_seen, one.last_seen);
    EXPECT_EQ(device.telemetry_time, Timestamp{});
    EXPECT_FALSE(store().get("d2").value());
}

TEST_P(StatusStoreConformance, a_redelivered_or_older_document_changes_nothing) {
    apply(document("d1", PresenceState::online, 5));
    apply(document("d1", PresenceState::offline, 5));
    apply(document("d1", PresenceState::offline, 4));
    EXPECT_EQ(get("d1").document.state, PresenceState::online);
    EXPECT_EQ(store().counts("")->online, 1);
    apply(document("d1", PresenceState::offline, 6));
    EXPECT_EQ(get("d1").document.state, PresenceState::offline);
}

TEST_P(StatusStoreConformance, touches_renew_last_contact_and_the_latest_values) {
    apply(document("d1", PresenceState::online, 5));
    const std::pair<std::string_view, double> metrics[] = {{"temp", 20.5}, {"battery", 3.3}};
    touch({"d1", from_epoch_ms(5000), from_epoch_ms(4900), metrics});
    const std::pair<std::string_view, double> late[] = {{"temp", 1}};
    touch({"d1", from_epoch_ms(4000), from_epoch_ms(3900), late});
    touch({"d1", from_epoch_ms(6000), {}, {}});
    const DeviceStatus device = get("d1");
    EXPECT_EQ(device.last_seen, from_epoch_ms(6000));
    EXPECT_EQ(device.telemetry_time, from_epoch_ms(4900));
    EXPECT_EQ(device.metrics, (LatestMetrics{{"battery", 3.3}, {"temp", 20.5}}));
}

TEST_P(StatusStoreConformance, a_touch_of_a_device_that_is_not_known_is_ignored) {
    touch({"nobody", from_epoch_ms(5000), {}, {}});
    EXPECT_FALSE(store().get("nobody").value());
}

TEST_P(StatusStoreConformance, a_device_keeps_no_more_metrics_than_the_bound) {
    apply(document("d1", PresenceState::online, 5));
    for (int i = 0; i < 50; ++i) {
        const std::string name = "m" + std::to_string(i);
        const std::pair<std::string_view, double> metric[] = {{name, i}};
        touch({"d1", from_epoch_ms(5000), from_epoch_ms(5000), metric});
    }
    EXPECT_EQ(get("d1").metrics.size(), latest_metrics_max);
}

TEST_P(StatusStoreConformance, a_device_that_moves_is_counted_where_it_is) {
    apply(document("d1", PresenceState::online, 1, "in/ka"));
    apply(document("d2", PresenceState::offline, 2, "in/ka/ka-04"));
    EXPECT_EQ(store().counts("in")->total(), 2);
    EXPECT_EQ(store().counts("in/ka")->total(), 2);
    EXPECT_EQ(store().counts("in/ka/ka-04")->offline, 1);
    apply(document("d2", PresenceState::offline, 3, "de/berlin"));
    EXPECT_EQ(store().counts("in")->total(), 1);
    EXPECT_EQ(store().counts("in/ka/ka-04")->total(), 0);
    EXPECT_EQ(store().counts("de")->countable_offline, 1);
    EXPECT_EQ(store().counts("")->total(), 2);
    EXPECT_EQ(store().counts("nowhere")->total(), 0);
    std::vector<std::string> paths;
    const auto regions = store().regions();
    ASSERT_TRUE(regions);
    for (const auto& [path, counts] : *regions) {
        paths.push_back(path);
    }
    EXPECT_EQ(paths, (std::vector<std::string>{"", "de", "de/berlin", "in", "in/ka", "in/ka/ka-04"}));
}

TEST_P(StatusStoreConformance, a_page_ends_with_where_to_go_on_only_when_there_is_more) {
    for (int i = 0; i < 5; ++i) {
        apply(document("d" + std::to_string(i), PresenceState::online, i + 1));
    }
    const auto first = store().list({}, "", 2);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->devices.size(), 2U);
    EXPECT_EQ(first->next_after, "d1");
    const auto last = store().list({}, "d2", 2);
    ASSERT_TRUE(last);
    EXPECT_EQ(last->devices.size(), 2U);
    EXPECT_EQ(last->next_after, "");
    EXPECT_TRUE(store().list({}, "d4", 2)->devices.empty());
    EXPECT_FALSE(store().list({}, "", 0));
    EXPECT_FALSE(store().list({}, "", 1001));
}

TEST_P(StatusStoreConformance, a_filter_of_a_region_takes_what_is_below_and_not_what_begins_alike) {
    apply(document("a", PresenceState::online, 1, "in/ka"));
    apply(document("b", PresenceState::online, 2, "in/ka/ka-04"));
    apply(document("c", PresenceState::online, 3, "in/ka-2"));
    apply(document("d", PresenceState::online, 4, ""));
    DeviceFilter filter;
    filter.region = "in/ka";
    EXPECT_EQ(list_all(filter, 10), (std::vector<std::string>{"a", "b"}));
    filter.region = "in/none";
    EXPECT_TRUE(list_all(filter, 10).empty());
}

TEST_P(StatusStoreConformance, watchers_hear_what_was_applied_until_they_let_go) {
    std::vector<std::string> heard;
    auto handle = store().watch([&](const StatusDocument& one) { heard.push_back("transition " + one.id); },
                                [&](const StatusTouch& one) { heard.push_back("touch " + std::string(one.id)); });
    const auto wait_until_told = [this] { ASSERT_TRUE(store().list({}, "", 1)); };
    apply(document("d1", PresenceState::online, 1));
    apply(document("d1", PresenceState::online, 1));
    const std::pair<std::string_view, double> metrics[] = {{"temp", 20.5}};
    touch({"d1", from_epoch_ms(5000), {}, {}});
    touch({"d1", from_epoch_ms(5000), from_epoch_ms(5000), metrics});
    wait_until_told();
    EXPECT_EQ(heard, (std::vector<std::string>{"transition d1", "touch d1"}));
    handle.reset();
    apply(document("d1", PresenceState::offline, 2));
    wait_until_told();
    EXPECT_EQ(heard.size(), 2U);
}

TEST_P(StatusStoreConformance, what_was_checkpointed_is_there_after_a_restart) {
    apply(document("d1", PresenceState::online, 1));
    const std::pair<std::string_view, double> metrics[] = {{"temp", 20.5}};
    touch({"d1", from_epoch_ms(5000), from_epoch_ms(5000), metrics});
    ASSERT_TRUE(store().checkpoint());
    const DeviceStatus before = get("d1");
    restart();
    expect_same(get("d1"), before);
    EXPECT_EQ(store().counts("in/ka")->online, 1);
    EXPECT_EQ(list_all({}, 10), (std::vector<std::string>{"d1"}));
    apply(document("d1", PresenceState::offline, 1));
    EXPECT_EQ(get("d1").document.state, PresenceState::online) << "the offset was kept too";
}

TEST_P(StatusStoreConformance, it_agrees_with_plain_maps_and_a_recount_whatever_happens) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        SCOPED_TRACE(::testing::Message() << "seed " << seed);
        SetUp();
        Random random(seed);
        StatusModel model;
        const std::vector<std::string> regions{"", "in", "in/ka", "in/ka/ka-04", "in/mh", "de/berlin", "in-2"};
        const std::vector<std::string> models{"", "pump", "meter"};
        const auto any_of = [&](const std::vector<std::string>& from) { return from[random.below(from.size())]; };
        std::int64_t offset = 0;
        for (int step = 0; step < 60; ++step) {
            std::vector<StatusDocument> documents;
            std::vector<StatusTouch> touches;
            std::vector<std::string> ids;
            std::vector<std::vector<std::pair<std::string_view, double>>> values;
            ids.reserve(40);
            values.reserve(40);
            for (std::uint64_t i = random.below(20); i > 0; --i) {
                StatusDocument one = document("dev-" + std::to_string(random.below(200)),
                                              static_cast<PresenceState>(random.below(4)), ++offset, any_of(regions));
                one.offset -= random.chance(0.1) ? static_cast<std::int64_t>(random.below(50)) : 0;
                one.overlays = static_cast<Overlays>(random.below(8));
                one.attributes.model = any_of(models);
                one.attributes.latitude = random.chance(0.3) ? 0 : random.uniform() * 180 - 90;
                one.attributes.longitude = one.attributes.latitude == 0 ? 0 : random.uniform() * 360 - 180;
                documents.push_back(one);
            }
            for (std::uint64_t i = random.below(20); i > 0; --i) {
                ids.push_back("dev-" + std::to_string(random.below(200)));
                values.push_back(
                    {{"temp", random.uniform()}, {random.chance(0.5) ? "battery" : "load", random.uniform()}});
                const auto time = from_epoch_ms(static_cast<std::int64_t>(1000 + random.below(10'000)));
                touches.push_back({ids.back(), time, random.chance(0.3) ? Timestamp{} : time, values.back()});
            }
            ASSERT_TRUE(store().apply(documents, touches));
            for (const StatusDocument& one : documents) {
                model.apply(one);
            }
            for (const StatusTouch& one : touches) {
                model.touch(one);
            }
            DeviceFilter filter;
            filter.state =
                random.chance(0.5) ? std::optional(static_cast<PresenceState>(random.below(4))) : std::nullopt;
            filter.overlay = random.chance(0.2) ? std::optional(Overlay::sleeping) : std::nullopt;
            filter.region = random.chance(0.5) ? any_of(regions) : "";
            filter.model = random.chance(0.3) ? any_of(models) : "";
            filter.id_prefix = random.chance(0.3) ? "dev-1" : "";
            EXPECT_EQ(list_all(filter, 1 + random.below(20)), model.list(filter));
            if (random.chance(0.1)) {
                ASSERT_TRUE(store().checkpoint());
                restart();
            }
        }
        expect_same(model);
    }
}

}  // namespace muster
