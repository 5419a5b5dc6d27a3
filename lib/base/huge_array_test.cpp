#include "base/huge_array.h"

#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

namespace muster {
namespace {

constexpr std::size_t huge_page = PageMemory::huge_page_bytes;

TEST(HugeArray, begins_as_zeroes_on_the_boundary_of_a_huge_page) {
    const HugeArray<std::uint64_t> array(3 * huge_page / sizeof(std::uint64_t));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&array[0]) % huge_page, 0U);
    for (std::size_t i = 0; i < array.size(); i += 511) {
        ASSERT_EQ(array[i], 0U);
    }
}

TEST(HugeArray, keeps_what_is_in_it_when_it_moves_to_huge_pages) {
    HugeArray<std::uint32_t> array(2 * huge_page / sizeof(std::uint32_t));
    for (std::size_t i = 0; i < array.size() / 2; ++i) {
        array[i] = static_cast<std::uint32_t>(i * 2654435761U);
    }
    const std::uint32_t* const before = &array[0];
    array.use_huge_pages();
    EXPECT_EQ(&array[0], before);
    for (std::size_t i = 0; i < array.size(); ++i) {
        ASSERT_EQ(array[i], i < array.size() / 2 ? static_cast<std::uint32_t>(i * 2654435761U) : 0U);
    }
}

TEST(HugeArray, may_be_of_any_size) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{4097}, huge_page - 1, huge_page, huge_page + 1}) {
        HugeArray<char> array(size);
        array.use_huge_pages();
        array[0] = 'a';
        array[size - 1] = 'b';
        EXPECT_EQ(array[size - 1], 'b');
    }
}

TEST(HugeArray, can_be_given_away) {
    HugeArray<int> array(1000);
    array[999] = 7;
    HugeArray<int> other(10);
    other = std::move(array);
    EXPECT_EQ(other.size(), 1000U);
    EXPECT_EQ(other[999], 7);
    const HugeArray<int> third(std::move(other));
    EXPECT_EQ(third[999], 7);
}

}  // namespace
}  // namespace muster
