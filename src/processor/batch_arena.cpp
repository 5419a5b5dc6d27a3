#include "processor/batch_arena.h"

#include <cstring>

#include "base/assert.h"

namespace muster {

char* BatchArena::allocate(std::size_t bytes) {
    const std::size_t rounded = (bytes + 7U) & ~std::size_t{7};
    MUSTER_ASSERT(rounded <= chunk_bytes);
    if (!chunks_.empty() && used_ + rounded > chunk_bytes) {
        ++chunk_;
        used_ = 0;
    }
    if (chunk_ == chunks_.size()) {
        chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk_bytes));
    }
    char* const result = chunks_[chunk_].get() + used_;
    used_ += rounded;
    return result;
}

std::string_view BatchArena::copy(std::string_view text) {
    if (text.empty()) {
        return {};
    }
    char* const to = allocate(text.size());
    std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
}

void BatchArena::clear() {
    chunk_ = 0;
    used_ = 0;
}

}  // namespace muster
