#include "gateway/share_settlement.h"

namespace muster {

void ShareDecision::clear() {
    assignments_.clear();
    elsewhere_ = 0;
    missed_ = 0;
}

bool ShareDecision::is_here(const SharedGroup& group) {
    const auto turn = group.choose();
    if (!turn) {
        return false;  // not listed: those of its gateways that live agree
    }
    if (!assignments_.add(group.name(), turn->is_here ? std::string_view(own_name_) : turn->gateway)) {
        if (!group.is_here()) {
            ++missed_;
        }
        return group.is_here();
    }
    if (!turn->is_here) {
        ++elsewhere_;
    }
    return turn->is_here;
}

bool ShareReading::is_here(const SharedGroup& group) {
    const auto gateway = assigned_.gateway_of(group.name());
    const bool is_ours = gateway ? *gateway == own_name_ && group.is_here()
                                 : assigned_.is_complete() && group.is_agreed_here(own_name_, writer_, message_);
    if (is_ours) {
        ++taken_;
        assigned_taken_ += static_cast<std::size_t>(gateway.has_value());
    }
    return is_ours;
}

}  // namespace muster
