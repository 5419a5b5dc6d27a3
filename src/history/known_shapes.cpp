#include "history/known_shapes.h"

#include <cstring>

#include "history/varint.h"

namespace muster {

bool are_names_of(const char* names, MetricValues metrics) {
    for (const auto& [name, value] : metrics) {
        if (static_cast<std::uint8_t>(*names) != name.size() || std::memcmp(names + 1, name.data(), name.size()) != 0) {
            return false;
        }
        names += 1 + name.size();
    }
    return true;
}

std::uint64_t KnownShapes::number_of(MetricValues metrics) {
    const auto is = [&](const Known& known) {
        return known.metrics == metrics.size() && are_names_of(known.names.data(), metrics);
    };
    if (last_ < known_.size() && is(known_[last_])) {
        return known_[last_].number;
    }
    for (std::size_t i = 0; i < known_.size(); ++i) {
        if (is(known_[i])) {
            last_ = i;
            return known_[i].number;
        }
    }
    Known& made = known_.size() < known_shapes_max ? known_.emplace_back() : known_[numbers_ % known_shapes_max];
    made.number = ++numbers_;
    made.metrics = metrics.size();
    made.names.clear();
    for (const auto& [name, value] : metrics) {
        write_text(made.names, name);
    }
    last_ = static_cast<std::size_t>(&made - known_.data());
    return made.number;
}

}  // namespace muster
