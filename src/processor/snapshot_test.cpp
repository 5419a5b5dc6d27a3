#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "processor/fold_scenario.h"

namespace muster {
namespace {

/// Some of everything.
void play(FoldScenario& fleet) {
    FoldScenario::Gateway a{"gw-a"};
    FoldScenario::Gateway b{"gw-b"};
    fleet.tick_seconds(a, 2);
    fleet.tick_seconds(b, 2);
    fleet.connect(a, "sleeper", 1);
    fleet.status(a, "sleeper", 1,
                 R"({"status":"SLEEPING","next_contact_s":30,"region":"in/ka","lat":12.1,"lon":77.7})");
    fleet.disconnect(a, "sleeper", 1, Cause::client_disconnect);
    for (SessionEpoch epoch = 1; epoch < 6; ++epoch) {
        fleet.connect(b, "flapper", epoch);
        fleet.will(b, "flapper", epoch);
    }
    fleet.attributes(a, "registered", R"({"region":"de/berlin","model":"m1","heartbeat_timeout_s":7})");
    fleet.connect(a, "steady", 9);
    fleet.telemetry(a, "steady", 9);
    fleet.tick_seconds(b, 10);
}

TEST(Snapshot, of_the_same_state_is_the_same_bytes) {
    FoldScenario first;
    FoldScenario second;
    play(first);
    play(second);
    EXPECT_EQ(first.fold.snapshot(), second.fold.snapshot());
}

TEST(Snapshot, restores_to_the_same_state_and_future) {
    FoldScenario fleet;
    play(fleet);
    const auto restored = PartitionFold::restore({}, fleet.fold.snapshot());
    ASSERT_TRUE(restored) << restored.error().message();
    EXPECT_EQ((*restored)->snapshot(), fleet.fold.snapshot());
    EXPECT_EQ((*restored)->next_offset(), fleet.fold.next_offset());
    EXPECT_EQ(to_json(*(*restored)->document("sleeper")), to_json(fleet.document("sleeper")));
}

TEST(Snapshot, that_is_damaged_or_anothers_is_refused) {
    FoldScenario fleet;
    play(fleet);
    const std::string good = fleet.fold.snapshot();
    for (std::size_t size = 0; size < good.size(); size += 7) {
        EXPECT_FALSE(PartitionFold::restore({}, std::string_view(good).substr(0, size)));
    }
    std::string flipped = good;
    flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 1);
    EXPECT_FALSE(PartitionFold::restore({}, flipped));
    FoldOptions other;
    other.partition = 1;
    EXPECT_FALSE(PartitionFold::restore(other, good));
}

TEST(Snapshot, that_is_wrong_inside_a_right_checksum_is_refused_or_restored_but_never_undefined) {
    FoldScenario fleet;
    play(fleet);
    const std::string good = fleet.fold.snapshot();
    for (std::size_t at = 0; at + 4 < good.size(); ++at) {
        std::string wrong = good.substr(0, good.size() - 4);
        wrong[at] = static_cast<char>(wrong[at] ^ 0x81);
        ByteWriter(wrong).number(crc32c(wrong));
        (void)PartitionFold::restore({}, wrong);
    }
}

}  // namespace
}  // namespace muster
