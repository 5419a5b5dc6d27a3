#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace muster {

/// Memory for what one batch of records points at: allocate() never moves what it gave before, clear() takes all of it
/// back and keeps the chunks. Owned by a FoldOutput; one thread; grows to the largest batch.
class BatchArena final {
 public:
    static constexpr std::size_t chunk_bytes = 256U << 10U;

    /// Uninitialised, aligned to 8; `bytes` at most chunk_bytes.
    [[nodiscard]] char* allocate(std::size_t bytes);
    [[nodiscard]] std::string_view copy(std::string_view text);
    void clear();

 private:
    std::vector<std::unique_ptr<char[]>> chunks_;
    std::size_t chunk_ = 0;  ///< the one being filled
    std::size_t used_ = 0;   ///< of it
};

}  // namespace muster
