#include "history/open_index.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "base/random.h"

namespace muster {
namespace {

/// As OpenLane's: the lowest bits are the same for all, and some devices share all of it.
std::uint32_t hash_of(const std::string& id, std::uint32_t different) {
    return (crc32c(id) % different) << 6U;
}

TEST(OpenIndex, it_agrees_with_a_map_whatever_is_added_and_removed) {
    for (const std::uint32_t different : {3U, 40U, UINT32_MAX}) {
        OpenIndex index;
        std::map<std::string, const OpenDevice*> model;
        Random random(different);
        for (int i = 0; i < 20'000; ++i) {
            const std::string id = "device-" + std::to_string(random.below(300));
            const std::uint32_t hash = hash_of(id, different);
            const OpenDevice* const found = index.find(hash, id);
            const auto expected = model.find(id);
            ASSERT_EQ(found, expected == model.end() ? nullptr : expected->second) << id;
            if (random.chance(0.5) && found == nullptr) {
                const OpenDevice& added = index.add(hash, id);
                ASSERT_EQ(added.id, id);
                model[id] = &added;
            } else if (random.chance(0.5)) {
                index.remove(hash, id);
                model.erase(id);
            }
            ASSERT_EQ(index.size(), model.size());
        }
        for (const auto& [id, device] : model) {
            EXPECT_EQ(index.find(hash_of(id, different), id), device);
        }
        std::size_t visited = 0;
        index.for_each([&](const OpenDevice& device) { visited += model.contains(device.id) ? 1U : 0U; });
        EXPECT_EQ(visited, model.size());
    }
}

TEST(OpenIndex, an_empty_one_may_be_asked) {
    OpenIndex index;
    index.prefetch(7);
    index.prefetch_device(7);
    EXPECT_EQ(index.find(7, "a"), nullptr);
    index.add(7, "a");
    index.clear();
    index.remove(7, "a");
    EXPECT_EQ(index.find(7, "a"), nullptr);
    EXPECT_EQ(index.size(), 0U);
}

}  // namespace
}  // namespace muster
