#include "base/huge_array.h"

#include <cstdint>
#include <new>
#include <utility>

#include <sys/mman.h>

namespace muster {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr int collapse = 25;  // MADV_COLLAPSE of Linux 6.1, which Debian 12's C library does not name

}  // namespace

PageMemory::PageMemory(std::size_t bytes) : bytes_((bytes + page_bytes - 1) / page_bytes * page_bytes) {
    // A huge page more than asked, of which what lies before the first boundary and after the end is given back.
    const std::size_t surplus = bytes_ < huge_page_bytes ? 0 : huge_page_bytes;
    void* const mapped =
        ::mmap(nullptr, bytes_ + surplus, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
        throw std::bad_alloc();
    }
    auto* const first = static_cast<char*>(mapped);
    const std::size_t before = surplus - (surplus == 0 ? 0 : reinterpret_cast<std::uintptr_t>(first) % huge_page_bytes);
    memory_ = first + before;
    if (before != 0) {
        (void)::munmap(first, before);
    }
    if (before != surplus) {
        (void)::munmap(first + before + bytes_, surplus - before);
    }
}

PageMemory::~PageMemory() {
    if (memory_ != nullptr) {
        (void)::munmap(memory_, bytes_);
    }
}

PageMemory::PageMemory(PageMemory&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

PageMemory& PageMemory::operator=(PageMemory&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

void PageMemory::use_huge_pages() const {
    if (bytes_ < huge_page_bytes) {
        return;
    }
    // Both are wishes: without them everything works, slower.
    (void)::madvise(memory_, bytes_, MADV_HUGEPAGE);
    (void)::madvise(memory_, bytes_, collapse);
}

}  // namespace muster
