#include "history/known_shapes.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace muster {
namespace {

using Metrics = std::vector<std::pair<std::string_view, double>>;

TEST(KnownShapes, the_same_names_have_one_number_whatever_the_values) {
    KnownShapes shapes;
    const std::uint64_t number = shapes.number_of(Metrics{{"temp", 1}, {"load", 2}});
    EXPECT_NE(number, 0U);
    EXPECT_EQ(shapes.number_of(Metrics{{"temp", 7}, {"load", 8}}), number);
}

TEST(KnownShapes, names_that_differ_in_anything_have_another) {
    KnownShapes shapes;
    const std::vector<Metrics> all{{},
                                   {{"temp", 1}},
                                   {{"load", 1}},
                                   {{"temp", 1}, {"load", 1}},
                                   {{"load", 1}, {"temp", 1}},
                                   {{"tempo", 1}, {"load", 1}},
                                   {{"temp", 1}, {"loa", 1}},
                                   {{std::string_view("temp\4load", 9), 1}}};
    std::set<std::uint64_t> numbers;
    for (const Metrics& metrics : all) {
        numbers.insert(shapes.number_of(metrics));
    }
    EXPECT_EQ(numbers.size(), all.size());
}

TEST(KnownShapes, a_number_never_comes_again_for_others_when_there_are_too_many) {
    KnownShapes shapes;
    std::set<std::uint64_t> numbers;
    const std::uint64_t first = shapes.number_of(Metrics{{"metric-0", 0}});
    numbers.insert(first);
    for (std::size_t i = 1; i < 10 * KnownShapes::known_shapes_max; ++i) {
        const std::string name = "metric-" + std::to_string(i);
        EXPECT_TRUE(numbers.insert(shapes.number_of(Metrics{{name, 0}})).second) << name;
        EXPECT_EQ(shapes.number_of(Metrics{{name, 1}}), *numbers.rbegin());
    }
    EXPECT_GT(shapes.number_of(Metrics{{"metric-0", 0}}), *numbers.rbegin());
}

}  // namespace
}  // namespace muster
