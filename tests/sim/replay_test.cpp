#include <gtest/gtest.h>

#include "base/bytes.h"
#include "presence_world.h"
#include "processor/fold_scenario.h"

namespace muster::sim {
namespace {

// G4: time comes from the records ----------------------------------------------------------------------------------

/// A steady fleet on two gateways: every device speaks every ten seconds.
class SteadyFleet final {
 public:
    static constexpr int devices = 200;

    SteadyFleet() {
        b_.now += Seconds(37);
        for (int device = 0; device < devices; ++device) {
            scenario_.connect(gateway_of(device), name_of(device), 1, 30);
        }
    }
    /// `muted`: nothing reaches the bus in this time.
    void run(int seconds, bool muted = false) {
        for (int i = 0; i < seconds; ++i, ++second_) {
            if (muted) {
                a_.now += Seconds(1);
                b_.now += Seconds(1);
                continue;
            }
            for (int device = second_ % 10; device < devices; device += 10) {
                scenario_.telemetry(gateway_of(device), name_of(device), 1);
            }
            scenario_.tick(a_);
            scenario_.tick(b_);
        }
    }
    /// Transitions to anything but online.
    [[nodiscard]] int losses() const {
        int losses = 0;
        for (const StatusDocument& document : scenario_.out.documents) {
            losses += document.state != PresenceState::online ? 1 : 0;
        }
        return losses;
    }
    FoldScenario& scenario() { return scenario_; }

 private:
    FoldScenario::Gateway& gateway_of(int device) { return device % 2 == 0 ? a_ : b_; }
    static std::string name_of(int device) { return "d" + std::to_string(device); }

    FoldScenario scenario_;
    FoldScenario::Gateway a_{"gw-a"};
    FoldScenario::Gateway b_{"gw-b"};
    int second_ = 0;
};

TEST(TimeFromRecords, a_processor_that_was_stopped_for_two_minutes_under_load_marks_nobody_offline) {
    SteadyFleet fleet;
    fleet.run(30);
    // What the gateways write while it is stopped it gets in one go, after a restart.
    fleet.scenario().restart_from_snapshot();
    fleet.run(120);
    fleet.scenario().restart_from_snapshot();
    fleet.run(30);
    EXPECT_EQ(fleet.losses(), 0);
}

TEST(TimeFromRecords, a_bus_that_takes_nothing_for_two_minutes_marks_nobody_offline) {
    SteadyFleet fleet;
    fleet.run(30);
    fleet.run(120, true);
    fleet.run(60);
    EXPECT_EQ(fleet.losses(), 0);
}

TEST(TimeFromRecords, a_gateway_that_was_suspended_for_two_minutes_marks_nobody_offline) {
    FoldScenario scenario;
    FoldScenario::Gateway gateway{"gw-a"};
    scenario.connect(gateway, "d", 1, 30);
    for (int i = 0; i < 5; ++i) {
        scenario.tick_seconds(gateway, 20);
        scenario.telemetry(gateway, "d", 1);
        gateway.now += Seconds(120);
    }
    EXPECT_EQ(scenario.times("d", PresenceState::offline), 0);
    EXPECT_EQ(scenario.times("d", PresenceState::unknown), 0);
}

// G9: same records in, same bytes out ------------------------------------------------------------------------------

void append_metrics(ByteWriter& writer, std::span<const std::pair<std::string_view, double>> metrics) {
    for (const auto& [name, value] : metrics) {
        writer.text(name);
        writer.real(value);
    }
}

/// Everything that leaves the fold, as bytes.
std::string bytes_of(const FoldOutput& out) {
    std::string bytes;
    ByteWriter writer(bytes);
    for (const StatusDocument& document : out.documents) {
        writer.text(to_json(document));
    }
    for (const StatusTouch& touch : out.touches) {
        writer.text(touch.id);
        writer.number(to_epoch_ms(touch.last_seen));
        writer.number(to_epoch_ms(touch.telemetry_time));
        append_metrics(writer, touch.metrics);
    }
    for (const Sample& sample : out.samples) {
        writer.text(sample.device);
        writer.number(to_epoch_ms(sample.time));
        append_metrics(writer, sample.metrics);
    }
    for (const auto* entries : {&out.transitions, &out.moves}) {
        for (const DeviceTransition& entry : *entries) {
            writer.text(entry.device);
            writer.number(to_epoch_ms(entry.transition.time));
            writer.number(to_epoch_ms(entry.transition.since));
            writer.number(static_cast<std::uint8_t>(entry.transition.state));
            writer.number(entry.transition.overlays);
            writer.number(entry.transition.detected_in_ms);
            writer.number(entry.transition.offset);
            writer.text(entry.transition.region);
        }
    }
    for (const LifecycleEvent& event : out.lifecycle) {
        writer.text(event.topic);
        writer.text(event.json);
    }
    for (const RegionReport& report : out.regions) {
        writer.text(to_json(report));
    }
    return bytes;
}

FoldOptions short_times() {
    FoldOptions options;
    options.heartbeat_timeout = Millis(4000);
    options.gateways.lost_after = Millis(3000);
    options.gateways.grace = Millis(5000);
    options.gateways.forget = Millis(10'000);
    return options;
}

/// A policy with a window about now and a timeout for the model.
std::string policy_at(Timestamp now, Random& random) {
    FleetPolicy policy;
    policy.version = 1 + random.below(50);
    if (random.chance(0.7)) {
        const Timestamp from = now + Millis(static_cast<std::int64_t>(random.below(6000))) - Millis(3000);
        policy.maintenance = {{"w", {random.chance(0.5) ? "in" : "fr", "", {}}, from, from + Millis(4000), "", ""}};
    }
    if (random.chance(0.5)) {
        policy.heartbeat_timeouts_s = {{"m1", 5}};
    }
    return to_json(policy);
}

/// A world's records with births, policies, sleeps, operators' words and garbage among them, and long quiet times in
/// which overlays end.
std::vector<WrittenRecord> varied_records(std::uint64_t seed) {
    WorldRules rules;
    rules.devices_max = 12;
    const PresenceWorld world(seed, rules);
    std::vector<WrittenRecord> records = world.records();
    Random random(seed ^ 0x5eedU);
    for (WrittenRecord& record : records) {
        if (record.header.kind != EventKind::telemetry) {
            continue;
        }
        static constexpr std::array<std::string_view, 7> statuses{
            R"({"status":"ONLINE","region":"in/ka/ka-04","model":"m1","lat":12.9716,"lon":77.5946})",
            R"({"status":"SLEEPING","next_contact_s":2})",
            R"({"status":"ONLINE","region":"de/berlin","heartbeat_timeout_s":1})",
            "OFFLINE",
            "ONLINE",
            "garbage",
            R"({"region":"Nowhere At All"})"};
        const std::uint64_t dice = random.below(20);
        if (dice < statuses.size()) {
            record.header.kind = EventKind::status;
            record.value = statuses[dice];
        } else if (dice == 10) {
            record.header.kind = EventKind::attributes;
            record.value = R"({"region":"fr/paris","firmware":"7"})";
        } else if (dice == 11) {
            record.value = "{broken";
        } else if (dice == 12) {
            record.value = R"([{"ts":1,"a":1},{"b":{"c":2},"d":3.5}])";
        } else if (dice == 13) {
            record.header.kind = EventKind::policy;
            record.device.clear();
            record.value = policy_at(record.header.received, random);
        }
    }
    if (seed % 4 == 0) {
        WrittenRecord tick = *std::find_if(records.rbegin(), records.rend(), [](const WrittenRecord& record) {
            return record.header.kind == EventKind::tick;
        });
        for (int i = 0; i < 4000; ++i) {
            ++tick.header.sequence;
            tick.header.received += Seconds(1);
            records.push_back(tick);
        }
    }
    return records;
}

EventRecord view_at(const std::vector<WrittenRecord>& records, std::size_t i) {
    return records[i].view(gateway_names[static_cast<std::size_t>(records[i].gateway)], static_cast<std::int64_t>(i));
}

/// Folds the records; every `interval` of them it is replaced by what its snapshot restores and is given the last ones
/// again. 0: never.
std::string fold_with_restarts(const std::vector<WrittenRecord>& records, std::size_t interval) {
    auto fold = std::make_unique<PartitionFold>(short_times());
    std::string bytes;
    for (std::size_t i = 0; i < records.size(); ++i) {
        FoldOutput out;
        if (interval != 0 && i % interval == 0 && i > 0) {
            auto restored = PartitionFold::restore(short_times(), fold->snapshot());
            EXPECT_TRUE(restored);
            fold = std::move(*restored);
            for (std::size_t again = i - std::min<std::size_t>(i, 5); again < i; ++again) {
                fold->apply(view_at(records, again), out);
            }
        }
        fold->apply(view_at(records, i), out);
        bytes += bytes_of(out);
    }
    return bytes + fold->snapshot();
}

TEST(Replay, the_same_records_give_the_same_bytes_with_a_restart_at_any_record) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        const std::vector<WrittenRecord> records = varied_records(seed);
        const std::string expected = fold_with_restarts(records, 0);
        ASSERT_EQ(fold_with_restarts(records, 0), expected) << "seed " << seed;
        for (const std::size_t interval : {std::size_t{1}, std::size_t{7}, std::size_t{50}, std::size_t{333}}) {
            if (interval == 1 && records.size() > 1000) {
                continue;
            }
            ASSERT_TRUE(fold_with_restarts(records, interval) == expected)
                << "seed " << seed << ", restarted every " << interval << " records";
        }
    }
}

TEST(Replay, what_a_killed_processor_says_again_has_the_offsets_that_it_had) {
    const std::vector<WrittenRecord> records = varied_records(9);
    PartitionFold fold(short_times());
    FoldOutput before;
    std::string checkpoint;
    for (std::size_t i = 0; i < records.size(); ++i) {
        if (i == records.size() / 2) {
            checkpoint = fold.snapshot();
            before.clear();
        }
        fold.apply(view_at(records, i), before);
    }
    auto restored = PartitionFold::restore(short_times(), checkpoint);
    ASSERT_TRUE(restored);
    FoldOutput again;
    for (std::size_t i = records.size() / 2; i < records.size(); ++i) {
        (*restored)->apply(view_at(records, i), again);
    }
    EXPECT_TRUE(bytes_of(before) == bytes_of(again));
    ASSERT_FALSE(again.documents.empty());
}

/// What a partition's outputs say in the end: the last document of each device, the last report of each region.
struct LastWords {
    std::map<std::string, StatusDocument> documents;
    std::map<std::string, RegionCounts> reported;

    void hear(const FoldOutput& out) {
        for (const StatusDocument& document : out.documents) {
            documents[document.id] = document;
        }
        for (const RegionReport& report : out.regions) {
            reported[report.region] = report.counts;
        }
    }
    [[nodiscard]] std::map<std::string, RegionCounts> recounted() const {
        std::map<std::string, RegionCounts> result;
        for (const auto& [region, counts] : reported) {
            result[region] = {};
        }
        for (const auto& [id, document] : documents) {
            for_each_region_of(document.attributes.region, [&](std::string_view region) {
                result[std::string(region)] += contribution_of(document);
            });
        }
        return result;
    }
};

/// Region counts are kept incrementally; a recount of the devices' documents must give the same.
TEST(Replay, region_counts_equal_a_recount) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        std::vector<WrittenRecord> records = varied_records(seed);
        // Some last ticks, so that everything is reported before the end.
        WrittenRecord tick;
        tick.header.kind = EventKind::tick;
        tick.header.incarnation = 1000;
        for (int i = 0; i < 5; ++i) {
            ++tick.header.sequence;
            tick.header.received += Seconds(1);
            records.push_back(tick);
        }
        PartitionFold fold(short_times());
        LastWords words;
        FoldOutput out;
        for (std::size_t i = 0; i < records.size(); ++i) {
            out.clear();
            fold.apply(view_at(records, i), out);
            words.hear(out);
        }
        ASSERT_EQ(words.reported, words.recounted()) << "seed " << seed;
    }
}

}  // namespace
}  // namespace muster::sim
