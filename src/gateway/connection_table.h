#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/function_ref.h"
#include "gateway/connection.h"

namespace muster {

/// Names a connection of one worker for as long as it lives: slot and generation.
struct ConnectionRef {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
};

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
        slots_[slot].connection = std::move(connection);
        slots_[slot].connection->serve_by(worker, slot);
        return *slots_[slot].connection;
    }
    [[nodiscard]] std::unique_ptr<Connection> take(Connection& connection) {
        Slot& slot = slots_[connection.slot()];
        ++slot.generation;
        free_.push_back(connection.slot());
        return std::move(slot.connection);
    }
    [[nodiscard]] ConnectionRef ref_to(const Connection& connection) const {
        return {connection.slot(), slots_[connection.slot()].generation};
    }
    /// Null when it is no more.
    [[nodiscard]] Connection* at(ConnectionRef ref) const {
        return slots_[ref.slot].generation == ref.generation ? slots_[ref.slot].connection.get() : nullptr;
    }
    /// `visit` may not add connections; it may close the one it is given.
    void for_each(FunctionRef<void(Connection&)> visit) const {
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            if (Connection* connection = slots_[i].connection.get()) {
                visit(*connection);
            }
        }
    }
    [[nodiscard]] std::size_t size() const { return slots_.size() - free_.size(); }

 private:
    struct Slot {
        std::unique_ptr<Connection> connection;
        std::uint32_t generation = 0;
    };
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
};

}  // namespace muster
