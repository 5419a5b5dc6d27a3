#pragma once

#include <cstddef>
#include <type_traits>

namespace muster {

/// Zeroed memory from the kernel, aligned so that it can lie on huge pages, and no more of it used than was touched. A
/// plain owner. For at least one byte; throws std::bad_alloc where there is none.
class PageMemory final {
 public:
    static constexpr std::size_t huge_page_bytes = std::size_t{2} << 20U;

    explicit PageMemory(std::size_t bytes);
    ~PageMemory();
    PageMemory(PageMemory&& other) noexcept;
    PageMemory& operator=(PageMemory&& other) noexcept;
    PageMemory(const PageMemory&) = delete;
    PageMemory& operator=(const PageMemory&) = delete;

    [[nodiscard]] void* get() const { return memory_; }
    /// Moves what there is onto huge pages, and puts there what is touched later. Memory of less than a huge page, and
    /// a kernel that has none, is left as it is.
    void use_huge_pages() const;

 private:
    void* memory_ = nullptr;
    std::size_t bytes_ = 0;
};

/// An array of fixed size, all bits zero at first, for tables that are touched at random and are far larger than the
/// caches: on huge pages a touch costs one miss, and no walk through the page table before it.
template <class T>
class HugeArray final {
    static_assert(std::is_trivially_copyable_v<T>, "its elements begin as zeroes and are never destroyed");

 public:
    explicit HugeArray(std::size_t size) : memory_(size * sizeof(T)), size_(size) {}

    [[nodiscard]] T& operator[](std::size_t at) { return static_cast<T*>(memory_.get())[at]; }
    [[nodiscard]] const T& operator[](std::size_t at) const { return static_cast<const T*>(memory_.get())[at]; }
    [[nodiscard]] std::size_t size() const { return size_; }
    void use_huge_pages() const { memory_.use_huge_pages(); }

 private:
    PageMemory memory_;
    std::size_t size_;
};

}  // namespace muster
