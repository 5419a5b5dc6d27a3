#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/connection.h"

namespace muster {

/// Output buffers of one worker's connections: an idle connection has none, and a busy worker does not ask the heap for
/// each answer. One thread. Keeps at most outputs_max of at most output_bytes_max each. What all that are lent take
/// together is bounded by GatewayLimits::outputs_bytes_max.
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
    /// It may have grown or shrunk.
    void count(Output& output) {
        bytes_ += output.bytes.capacity() - output.counted;
        output.counted = output.bytes.capacity();
    }
    /// Memory of those that are lent, as far as counted.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    void give_back(std::unique_ptr<Output> output) {
        bytes_ -= std::exchange(output->counted, 0);
        if (idle_.size() < outputs_max && output->bytes.capacity() <= output_bytes_max) {
            output->bytes.clear();
            output->sent = 0;
            idle_.push_back(std::move(output));
        }
    }

 private:
    std::vector<std::unique_ptr<Output>> idle_;
    std::size_t bytes_ = 0;
};

}  // namespace muster
