#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/function_ref.h"
#include "gateway/connection.h"

namespace muster {

/// Owns the connections that one worker serves. One thread. Bounded by connections_max.
class ConnectionTable final {
 public:
    Connection& add(std::unique_ptr<Connection> connection, Worker& worker) {
        if (free_.empty()) {
            free_.push_back(static_cast<std::uint32_t>(slots_.size()));
            slots_.emplace_back();
        }
        const std::uint32_t slot = free_.back();
        free_.pop_back();
        connection->serve_by(worker, {slot, ++last_generation_});
        slots_[slot] = std::move(connection);
        return *slots_[slot];
    }
    [[nodiscard]] std::unique_ptr<Connection> take(Connection& connection) {
        free_.push_back(connection.ref().slot);
        return std::move(slots_[connection.ref().slot]);
    }
    /// Null when it is no more.
    [[nodiscard]] Connection* at(ConnectionRef ref) const {
        Connection* connection = slots_[ref.slot].get();
        return connection != nullptr && connection->ref().generation == ref.generation ? connection : nullptr;
    }
    /// `visit` may not add connections; it may close the one it is given.
    void for_each(FunctionRef<void(Connection&)> visit) const {
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            if (Connection* connection = slots_[i].get()) {
                visit(*connection);
            }
        }
    }
    /// The first at or behind `slot`, which then stands behind it; null: there is none.
    [[nodiscard]] Connection* next(std::size_t& slot) const {
        while (slot < slots_.size()) {
            if (Connection* connection = slots_[slot++].get()) {
                return connection;
            }
        }
        return nullptr;
    }
    [[nodiscard]] std::size_t size() const { return slots_.size() - free_.size(); }

 private:
    std::deque<std::unique_ptr<Connection>> slots_;  ///< a deque: no room for growth that costs more than the content
    std::vector<std::uint32_t> free_;
    std::uint32_t last_generation_ = 0;
};

}  // namespace muster
