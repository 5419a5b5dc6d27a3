#include "alerts/cohorts.h"

#include <algorithm>

#include "base/assert.h"

namespace muster {
namespace {

constexpr std::array<std::string_view, attribute_count> attribute_names{"region", "gateway", "carrier", "model",
                                                                        "firmware"};

/// FNV-1a, finished by a mix so that similar ids are far apart.
std::uint64_t key_of(std::string_view id) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : id) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    hash ^= hash >> 32U;
    hash *= 0xd6e8feb86659fd93ULL;
    return hash ^ (hash >> 32U);
}

Trouble trouble_of(const StatusDocument& document) {
    if (has(document.overlays, Overlay::maintenance)) {
        return Trouble::planned;
    }
    const bool by_gateway = document.cause == Cause::gateway_lost || document.cause == Cause::server_shutdown;
    if (document.state == PresenceState::unknown) {
        return document.cause == Cause::gateway_lost ? Trouble::gateway_lost : Trouble::none;
    }
    if (document.state != PresenceState::offline || has(document.overlays, Overlay::sleeping)) {
        return Trouble::none;
    }
    return by_gateway ? Trouble::gateway_lost : document.cause == Cause::auth_error ? Trouble::refused : Trouble::lost;
}

}  // namespace

std::string_view name_of(Attribute attribute) {
    return attribute_names.at(static_cast<std::size_t>(attribute));
}

std::optional<Attribute> attribute_from(std::string_view name) {
    for (std::size_t i = 0; i < attribute_count; ++i) {
        if (attribute_names[i] == name) {
            return static_cast<Attribute>(i);
        }
    }
    return std::nullopt;
}

std::size_t Cohorts::CellHash::operator()(const std::array<std::uint32_t, attribute_count>& values) const {
    std::uint64_t hash = 0;
    for (const std::uint32_t value : values) {
        hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
        hash ^= hash >> 29U;
    }
    return hash;
}

Cohorts::Cohorts() {
    for (std::size_t i = 0; i < attribute_count; ++i) {
        (void)intern(static_cast<Attribute>(i), {});  // number 0: not known, and the root of the regions
    }
}

std::optional<std::uint32_t> Cohorts::find(Attribute attribute, std::string_view text) const {
    const auto& known = value_of_[static_cast<std::size_t>(attribute)];
    const auto found = known.find(std::string(text));
    return found == known.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::uint32_t> Cohorts::intern(Attribute attribute, std::string_view text) {
    if (const auto found = find(attribute, text)) {
        return found;
    }
    std::uint32_t parent = 0;
    if (const auto slash = text.rfind('/'); attribute == Attribute::region && slash != std::string_view::npos) {
        const auto above = intern(attribute, text.substr(0, slash));
        if (!above) {
            return std::nullopt;
        }
        parent = *above;
    }
    auto& values = values_[static_cast<std::size_t>(attribute)];
    if (values.size() == values_max) {
        return std::nullopt;
    }
    const auto value = static_cast<std::uint32_t>(values.size());
    values.push_back({std::string(text), parent, 0, {}, 0});
    value_of_[static_cast<std::size_t>(attribute)].emplace(text, value);
    return value;
}

std::optional<std::uint32_t> Cohorts::cell_of(const StatusDocument& document) {
    const std::array<std::string_view, attribute_count> texts{document.attributes.region, document.gateway,
                                                              document.attributes.carrier, document.attributes.model,
                                                              document.attributes.firmware};
    Cell cell;
    for (std::size_t i = 0; i < attribute_count; ++i) {
        const auto value = intern(static_cast<Attribute>(i), texts[i]);
        if (!value) {
            return std::nullopt;
        }
        cell.values[i] = *value;
    }
    if (const auto found = cell_of_.find(cell.values); found != cell_of_.end()) {
        return found->second;
    }
    if (cells_.size() == cells_max) {
        return std::nullopt;
    }
    cell_of_.emplace(cell.values, static_cast<std::uint32_t>(cells_.size()));
    cells_.push_back(cell);
    return static_cast<std::uint32_t>(cells_.size() - 1);
}

/// The values that a device of this cell counts for: every region on its path, and what is known of the rest.
void Cohorts::for_each_value(const Cell& cell, FunctionRef<void(Value&)> change) {
    auto& regions = values_[static_cast<std::size_t>(Attribute::region)];
    for (std::uint32_t region = cell.values[0];; region = regions[region].parent) {
        change(regions[region]);
        if (region == 0) {
            break;
        }
    }
    for (std::size_t i = 1; i < attribute_count; ++i) {
        change(values_[i][cell.values[i]]);
    }
}

void Cohorts::count(Device& device, bool in) {
    if (device.counted == in) {
        return;
    }
    device.counted = in;
    const std::int64_t step = in ? 1 : -1;
    Cell& cell = cells_[device.cell];
    cell.population += step;
    cell.countable += device.countable ? step : 0;
    cell.offline += device.offline ? step : 0;
    cell.flapping += device.flapping ? step : 0;
    for_each_value(cell, [&](Value& value) { value.population += step; });
}

void Cohorts::set_fresh(DeviceKey key, Device& device, std::int64_t now_ms) {
    device.fresh = true;
    device.fresh_ms = now_ms;
    fresh_devices_.emplace_back(now_ms, key);
    const auto trouble = static_cast<std::size_t>(device.trouble);
    Cell& cell = cells_[device.cell];
    ++cell.fresh[trouble];
    for_each_value(cell, [&](Value& value) { ++value.fresh[trouble]; });
}

void Cohorts::clear_fresh(Device& device) {
    if (!device.fresh) {
        return;
    }
    device.fresh = false;
    const auto trouble = static_cast<std::size_t>(device.trouble);
    Cell& cell = cells_[device.cell];
    --cell.fresh[trouble];
    for_each_value(cell, [&](Value& value) { --value.fresh[trouble]; });
}

void Cohorts::join(Device& device, ClaimId id) {
    clear_fresh(device);
    device.claim = id;
    Claim& claim = claims_.at(id);
    ++claim.members;
    ++claim.by_cell[device.cell];
    if (claim.explains && device.offline) {
        for_each_value(cells_[device.cell], [](Value& value) { ++value.explained_offline; });
    }
}

void Cohorts::leave(Device& device) {
    if (device.claim == no_claim) {
        return;
    }
    Claim& claim = claims_.at(std::exchange(device.claim, no_claim));
    --claim.members;
    if (const auto cell = claim.by_cell.find(device.cell); --cell->second == 0) {
        claim.by_cell.erase(cell);
    }
    if (claim.explains && device.offline) {
        for_each_value(cells_[device.cell], [](Value& value) { --value.explained_offline; });
    }
}

void Cohorts::close(ClaimId id, std::int64_t now_ms) {
    std::erase(claim_order_, id);
    closed_claims_.emplace_back(now_ms, id);
    if (closed_claims_.size() > closed_claims_max) {
        drop(closed_claims_.front().second);
        closed_claims_.pop_front();
    }
}

void Cohorts::get_into(DeviceKey key, Device& device, const StatusDocument& document, std::int64_t now_ms) {
    device.since_ms = to_epoch_ms(document.since);
    if (reading_back_) {
        return;
    }
    for (const ClaimId id : claim_order_) {
        const Claim& claim = claims_.at(id);
        if (claim.trouble == device.trouble && is_within(cells_[device.cell], claim.scope)) {
            return join(device, id);
        }
    }
    set_fresh(key, device, now_ms);
}

bool Cohorts::on_status(const StatusDocument& document, std::int64_t now_ms) {
    if (is_canary(document.id)) {
        return true;  // it dies on purpose, and is nobody's device
    }
    if (is_canary(document.id)) {
        return true;  // it dies on purpose
    }
    const DeviceKey key = key_of(document.id);
    auto found = devices_.find(key);
    if (found != devices_.end() && document.offset <= found->second.offset) {
        return true;
    }
    const auto cell = cell_of(document);
    if (!cell || (found == devices_.end() && devices_.size() == devices_max)) {
        return false;
    }
    if (found == devices_.end()) {
        found = devices_.emplace(key, Device{}).first;
        found->second.cell = *cell;
    }
    Device& device = found->second;
    device.offset = document.offset;
    const Trouble trouble = trouble_of(document);
    const RegionCounts counts = contribution_of(document);
    const bool offline = counts.countable_offline != 0;
    // A lost gateway's device that is given up at last is in the same trouble still.
    const bool same = device.trouble == trouble && device.cell == *cell;
    const ClaimId kept = same ? device.claim : no_claim;
    count(device, false);
    if (!same || device.offline != offline) {
        leave(device);
    }
    if (!same) {
        clear_fresh(device);
        device.cell = *cell;
        device.trouble = trouble;
    }
    device.offline = offline;
    if (kept != no_claim && device.claim == no_claim) {
        join(device, kept);
    }
    device.countable = counts.countable != 0;
    device.flapping = counts.flapping != 0;
    count(device, document.state != PresenceState::never_seen && !has(document.overlays, Overlay::sleeping));
    if (!same && trouble != Trouble::none) {
        get_into(key, device, document, now_ms);
    }
    return true;
}

void Cohorts::forget(std::string_view id) {
    const auto found = devices_.find(key_of(id));
    if (found == devices_.end()) {
        return;
    }
    leave(found->second);
    clear_fresh(found->second);
    count(found->second, false);
    devices_.erase(found);
}

void Cohorts::expire(std::int64_t now_ms) {
    while (!closed_claims_.empty() && closed_claims_.front().first <= now_ms - closed_claim_ms) {
        drop(closed_claims_.front().second);
        closed_claims_.pop_front();
    }
    while (!fresh_devices_.empty() && fresh_devices_.front().first <= now_ms - window_ms) {
        const auto [at_ms, key] = fresh_devices_.front();
        fresh_devices_.pop_front();
        const auto found = devices_.find(key);
        if (found != devices_.end() && found->second.fresh_ms == at_ms) {
            clear_fresh(found->second);
        }
    }
}

void Cohorts::refresh_since(Timestamp since, std::int64_t now_ms) {
    for (auto& [key, device] : devices_) {
        if (device.trouble != Trouble::none && device.claim == no_claim && !device.fresh &&
            device.since_ms >= to_epoch_ms(since)) {
            set_fresh(key, device, now_ms);
        }
    }
}

Cohorts::ClaimId Cohorts::claim(Trouble trouble, Scope scope, bool explains, std::optional<Timestamp> since) {
    const ClaimId id = next_claim_++;
    claims_.emplace(id, Claim{trouble, std::move(scope), explains, 0, {}});
    claim_order_.push_back(id);
    const Scope& wanted = claims_.at(id).scope;
    const auto take = [&](Device& device) {
        if (device.trouble == trouble && device.claim == no_claim && is_within(cells_[device.cell], wanted)) {
            join(device, id);
        }
    };
    if (since) {
        for (auto& [key, device] : devices_) {
            if (device.since_ms >= to_epoch_ms(*since)) {
                take(device);
            }
        }
        return id;
    }
    for (const auto& [at_ms, key] : fresh_devices_) {
        const auto found = devices_.find(key);
        if (found != devices_.end() && found->second.fresh) {
            take(found->second);
        }
    }
    return id;
}

void Cohorts::drop(ClaimId id) {
    MUSTER_ASSERT(claims_.contains(id));
    if (claims_.at(id).members > 0) {
        for (auto& [key, device] : devices_) {
            if (device.claim == id) {
                leave(device);
            }
        }
    }
    claims_.erase(id);
    std::erase(claim_order_, id);
}

std::int64_t Cohorts::population(const Scope& scope) const {
    if (scope.size() < 2) {
        const Condition only = scope.empty() ? Condition{} : scope[0];
        return values(only.attribute)[only.value].population;
    }
    std::int64_t sum = 0;
    for (const Cell& cell : cells_) {
        sum += is_within(cell, scope) ? cell.population : 0;
    }
    return sum;
}

Tally Cohorts::whole(Trouble trouble) const {
    const Value& root = values_[0][0];
    return {root.population, root.fresh[static_cast<std::size_t>(trouble)]};
}

bool Cohorts::is_within(const Cell& cell, const Scope& scope) const {
    return std::all_of(scope.begin(), scope.end(), [&](const Condition& condition) {
        std::uint32_t value = cell.values[static_cast<std::size_t>(condition.attribute)];
        if (condition.attribute != Attribute::region) {
            return value == condition.value;
        }
        // A region above has a smaller number: it was interned first.
        while (value > condition.value) {
            value = values_[0][value].parent;
        }
        return value == condition.value;
    });
}

std::optional<std::uint32_t> Cohorts::cell_of_device(std::string_view id) const {
    const auto found = devices_.find(key_of(id));
    return found == devices_.end() ? std::nullopt : std::optional(found->second.cell);
}

std::int64_t Cohorts::explained_offline(std::string_view region) const {
    const auto value = find(Attribute::region, region);
    return value ? values_[0][*value].explained_offline : 0;
}

}  // namespace muster
