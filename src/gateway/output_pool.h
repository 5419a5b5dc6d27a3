#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "gateway/connection.h"

namespace muster {

/// Output buffers of one worker's connections: an idle connection has none, and a busy worker does not ask the heap for
/// each answer. One thread. Keeps at most outputs_max of at most output_bytes_max each.
class OutputPool final {
 public:
    static constexpr std::size_t outputs_max = 1024;
    static constexpr std::size_t output_bytes_max = 4096;

    [[nodiscard]] std::unique_ptr<Output> lend() {
        if (idle_.empty()) {
            return std::make_unique<Output>();
        }
        std::unique_ptr<Output> output = std::move(idle_.back());
        idle_.pop_back();
        return output;
    }
    void give_back(std::unique_ptr<Output> output) {
        if (idle_.size() < outputs_max && output->bytes.capacity() <= output_bytes_max) {
            output->bytes.clear();
            output->sent = 0;
            idle_.push_back(std::move(output));
        }
    }

 private:
    std::vector<std::unique_ptr<Output>> idle_;
};

}  // namespace muster
