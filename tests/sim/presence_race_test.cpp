#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "presence_world.h"
#include "processor/partition_fold.h"

namespace muster::sim {
namespace {

// MUSTER_SIM_RUNS: how many worlds a test plays. MUSTER_SIM_SEED: play this one alone and print its records.
#ifdef __OPTIMIZE__
constexpr std::uint64_t interleavings = 100'000;
#else
constexpr std::uint64_t interleavings = 5'000;  // unoptimised, or it would take minutes
#endif
constexpr std::uint64_t hops = interleavings / 5;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Times that fit a short world; the proportions of the real ones.
FoldOptions short_times() {
    FoldOptions options;
    options.heartbeat_timeout = Millis(4000);
    options.gateways.lost_after = Millis(3000);
    options.gateways.grace = Millis(5000);
    return options;
}

/// Folds a world and says what is wrong; empty when nothing is.
class Referee {
 public:
    Referee(const PresenceWorld& world, FoldOptions options) : world_(world), fold_(options) {
        std::int64_t offset = 0;
        for (const WrittenRecord& record : world.records()) {
            fold_.apply(record.view(gateway_names[static_cast<std::size_t>(record.gateway)], offset++), out_);
        }
    }

    /// The end: presence equals truth.
    [[nodiscard]] std::string wrong_at_the_end() const {
        for (const auto& [device, alive] : world_.truth()) {
            const auto document = fold_.document(device);
            const PresenceState expected = alive ? PresenceState::online : PresenceState::offline;
            if (!document || document->state != expected) {
                return device + " should be " + std::string(name_of(expected)) + " and is " +
                       (document ? to_json(*document) : "not there");
            }
        }
        return {};
    }
    /// The way there: each document goes on from the state of the one before.
    [[nodiscard]] std::string wrong_on_the_way() const {
        std::map<std::string, PresenceState> states;
        for (const StatusDocument& document : out_.documents) {
            PresenceState& state = states[document.id];
            if (document.previous != state) {
                return "does not follow from the one before: " + to_json(document);
            }
            state = document.state;
        }
        return {};
    }
    /// For worlds without any loss: nobody is anything but online.
    [[nodiscard]] std::string wrong_by_take_over() const {
        for (const StatusDocument& document : out_.documents) {
            if (document.state != PresenceState::online) {
                return "a take-over showed: " + to_json(document);
            }
        }
        return {};
    }

 private:
    const PresenceWorld& world_;
    PartitionFold fold_;
    FoldOutput out_;
};

std::string listed(const PresenceWorld& world) {
    std::string text;
    for (const WrittenRecord& record : world.records()) {
        text += record.text() + "\n";
    }
    return text;
}

template <class Judge>
void play(std::uint64_t worlds, const WorldRules& rules, const FoldOptions& options, Judge&& judge) {
    const std::uint64_t only = from_environment("MUSTER_SIM_SEED", 0);
    const std::uint64_t runs = only != 0 ? 1 : from_environment("MUSTER_SIM_RUNS", worlds);
    for (std::uint64_t i = 0; i < runs; ++i) {
        const std::uint64_t seed = only != 0 ? only : i + 1;
        const PresenceWorld world(seed, rules);
        const std::string wrong = judge(Referee(world, options));
        if (only != 0) {
            std::puts(listed(world).c_str());
        }
        ASSERT_EQ(wrong, "") << "MUSTER_SIM_SEED=" << seed << "\n" << listed(world);
    }
}

// G3
TEST(PresenceRace, seeded_interleavings_over_two_gateways_never_end_in_a_wrong_state) {
    play(interleavings, WorldRules{}, short_times(), [](const Referee& referee) {
        const std::string wrong = referee.wrong_at_the_end();
        return wrong.empty() ? referee.wrong_on_the_way() : wrong;
    });
}

// G3
TEST(PresenceRace, a_device_that_only_hops_between_gateways_is_always_online) {
    WorldRules rules;
    rules.ends = false;
    rules.losses = false;
    rules.lag_ms_max = 900;  // ticks that come much later are those of a lost gateway
    rules.settle_ms = 6000;
    play(hops, rules, FoldOptions{}, [](const Referee& referee) {
        const std::string wrong = referee.wrong_by_take_over();
        return wrong.empty() ? referee.wrong_at_the_end() : wrong;
    });
}

}  // namespace
}  // namespace muster::sim
