#include "outage_world.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace muster::sim {
namespace {

constexpr std::int64_t start_ms = 1'700'000'000'000;

Timestamp at(std::int64_t second) {
    return from_epoch_ms(start_ms + second * 1000);
}

template <class T>
const T& any_of(Random& random, const std::vector<T>& items) {
    return items[random.below(items.size())];
}

/// Uneven, as fleets are: the first are taken more often.
template <class T>
const T& mostly_first(Random& random, const std::vector<T>& items) {
    return items[std::min(random.below(items.size()), random.below(items.size()))];
}

}  // namespace

OutageWorld::OutageWorld(std::uint64_t seed, CauseKind kind, std::size_t devices) : random_(seed) {
    truth_.kind = kind;
    rules_.emplace();
    (void)rules_->put(default_rule(), changed_);
    make_fleet(devices != 0 ? devices : 2000 + random_.below(4000));
    choose_outage();
}

void OutageWorld::make_fleet(std::size_t count) {
    const std::size_t countries = 2 + random_.below(3);
    for (std::size_t c = 0; c < countries; ++c) {
        const std::size_t states = 2 + random_.below(4);
        for (std::size_t s = 0; s < states; ++s) {
            const std::size_t sites = 1 + random_.below(5);
            for (std::size_t site = 0; site < sites; ++site) {
                regions_.push_back(fmt::format("c{}/s{}/site-{}", c, s, site));
            }
        }
    }
    const auto fill = [&](std::vector<std::string>& out, const char* stem, std::size_t least, std::size_t spread) {
        const std::size_t values = least + random_.below(spread);
        for (std::size_t i = 0; i < values; ++i) {
            out.push_back(fmt::format("{}-{}", stem, i));
        }
    };
    fill(gateways_, "gw", 2, 5);
    fill(carriers_, "carrier", 2, 4);
    fill(models_, "model", 2, 4);
    fill(firmwares_, "fw", 2, 4);
    background_ = 0.002 + 0.013 * random_.uniform();
    // Some regions hang on one gateway mostly, and each has a carrier of its own choice.
    std::map<std::string, std::string> home;
    std::map<std::string, std::string> usual;
    for (const std::string& region : regions_) {
        home[region] = any_of(random_, gateways_);
        usual[region] = any_of(random_, carriers_);
    }
    for (std::size_t i = 0; i < count; ++i) {
        Device device;
        StatusDocument& document = device.document;
        document.id = fmt::format("d-{}", i);
        document.attributes.region = mostly_first(random_, regions_);
        document.attributes.model = mostly_first(random_, models_);
        document.attributes.firmware = mostly_first(random_, firmwares_);
        document.attributes.carrier =
            random_.chance(0.4) ? usual[document.attributes.region] : any_of(random_, carriers_);
        document.gateway = random_.chance(0.3) ? home[document.attributes.region] : any_of(random_, gateways_);
        devices_.push_back(std::move(device));
    }
}

void OutageWorld::choose_outage() {
    const auto& device = any_of(random_, devices_).document;
    share_ = 0.35 + 0.6 * random_.uniform();
    slowest_s_ = random_.chance(0.5) ? 2 : 90;
    verdict_ = slowest_s_ == 2 ? Cause::connection_lost : Cause::keepalive_timeout;
    switch (truth_.kind) {
        case CauseKind::gateway_loss:
            truth_.scope = {{"gateway", mostly_first(random_, gateways_)}};
            // Killed: the processor says so. Cut off: its sessions time out while it ticks on.
            verdict_ = random_.chance(0.6) ? Cause::gateway_lost : Cause::keepalive_timeout;
            share_ = verdict_ == Cause::gateway_lost ? 1 : 0.9;
            slowest_s_ = verdict_ == Cause::gateway_lost ? 2 : 60;
            break;
        case CauseKind::region_outage: {
            const std::string& site = device.attributes.region;
            const auto slash = random_.chance(0.5) ? site.rfind('/') : std::string::npos;
            truth_.scope = {{"region", site.substr(0, slash)}};
            break;
        }
        case CauseKind::carrier_outage:
            truth_.scope = {{"carrier", device.attributes.carrier}};
            if (random_.chance(0.4)) {
                truth_.scope.insert(truth_.scope.begin(), {"region", device.attributes.region.substr(0, 2)});
            }
            break;
        case CauseKind::device_fault:
            truth_.scope = random_.chance(0.5)
                               ? std::vector<Incident::Condition>{{"firmware", device.attributes.firmware}}
                               : std::vector<Incident::Condition>{{"model", device.attributes.model}};
            break;
        case CauseKind::credential_failure:
            truth_.scope = {{"model", device.attributes.model}};
            verdict_ = Cause::auth_error;
            break;
        case CauseKind::planned_work:
            truth_.scope = {{"region", device.attributes.region}};
            slowest_s_ = 3;
            share_ = 1;
            break;
        default:
            break;
    }
}

bool OutageWorld::is_in_scope(const Device& device, const std::vector<Incident::Condition>& scope) {
    const DeviceAttributes& has = device.document.attributes;
    return std::all_of(scope.begin(), scope.end(), [&](const auto& condition) {
        const std::string& value = condition.value;
        return condition.attribute == "region"    ? is_within(has.region, value)
               : condition.attribute == "gateway" ? device.gateway == value
               : condition.attribute == "carrier" ? has.carrier == value
               : condition.attribute == "model"   ? has.model == value
                                                  : has.firmware == value;
    });
}

double OutageWorld::overlap(const Incident& incident) const {
    double both = 0;
    double either = 0;
    for (const Device& device : devices_) {
        const bool told = is_in_scope(device, incident.scope);
        const bool true_one = is_in_scope(device, truth_.scope);
        both += told && true_one ? 1 : 0;
        either += told || true_one ? 1 : 0;
    }
    return either == 0 ? 1 : both / either;
}

void OutageWorld::set_state(Device& device, PresenceState state, Cause cause, Overlays overlays) {
    StatusDocument& document = device.document;
    const auto change = [&](bool in) {
        for_each_region_of(document.attributes.region, [&](std::string_view region) {
            RegionCounts& counts = counts_[std::string(region)];
            in ? counts += contribution_of(document) : counts -= contribution_of(document);
        });
    };
    if (document.offset != 0) {
        change(false);
    }
    document.previous = document.state;
    document.state = state;
    document.cause = cause;
    document.overlays = overlays;
    document.since = at(now_s_);
    document.offset = ++offset_;
    change(true);
    (void)rules_->on_status(document);
}

void OutageWorld::background(Device& device) {
    // In balance at the share `background_`, a device away for ten minutes on average.
    constexpr double back = 1.0 / 600;
    if (device.hit || device.verdict_at_s != 0) {
        return;
    }
    if (device.document.state == PresenceState::online && random_.chance(back * background_ / (1 - background_))) {
        set_state(device, PresenceState::offline,
                  random_.chance(0.5) ? Cause::connection_lost : Cause::heartbeat_timeout);
    } else if (device.document.state == PresenceState::offline && random_.chance(back)) {
        set_state(device, PresenceState::online, Cause::connect);
    }
}

void OutageWorld::due(Device& device) {
    if (device.verdict_at_s != 0 && device.verdict_at_s <= now_s_) {
        device.verdict_at_s = 0;
        if (truth_.kind == CauseKind::planned_work) {
            // Half of those in the window are really switched off.
            const bool off = random_.chance(0.5);
            set_state(device, off ? PresenceState::offline : device.document.state,
                      off ? Cause::client_disconnect : Cause::admin, static_cast<Overlays>(Overlay::maintenance));
        } else {
            const bool unknown = verdict_ == Cause::gateway_lost;
            set_state(device, unknown ? PresenceState::unknown : PresenceState::offline, verdict_);
            // A killed gateway's devices go to the others: most at once.
            device.back_at_s = unknown && gateways_.size() > 1 && random_.chance(0.9)
                                   ? now_s_ + 3 + static_cast<std::int64_t>(random_.below(50))
                                   : 0;
        }
    }
    if (device.back_at_s != 0 && device.back_at_s <= now_s_) {
        device.back_at_s = 0;
        device.hit = false;
        device.verdict_at_s = 0;
        if (verdict_ == Cause::gateway_lost && device.document.state == PresenceState::unknown) {
            do {
                device.document.gateway = any_of(random_, gateways_);
            } while (device.document.gateway == truth_.scope[0].value);
        }
        set_state(device, PresenceState::online, Cause::connect);
    }
    // The grace time of a lost gateway's session is over.
    if (device.hit && device.document.state == PresenceState::unknown &&
        at(now_s_) - device.document.since > Seconds(60)) {
        set_state(device, PresenceState::offline, Cause::gateway_lost);
    }
}

void OutageWorld::report() {
    for (const auto& [region, counts] : counts_) {
        (void)rules_->on_report({0, region, at(now_s_), counts}, changed_);
    }
}

void OutageWorld::take_in() {
    for (const Incident& incident : changed_) {
        if (first_.emplace(incident.id, incident).second) {
            order_.push_back(incident.id);
        }
        last_[incident.id] = incident;
    }
    changed_.clear();
}

void OutageWorld::second(bool pipeline_runs) {
    ++now_s_;
    if (!pipeline_runs) {
        silent_since_s_ = silent_since_s_ == 0 ? now_s_ - 1 : silent_since_s_;
        rules_->on_silence(Seconds(now_s_ - silent_since_s_), changed_);
        return take_in();
    }
    silent_since_s_ = 0;
    for (Device& device : devices_) {
        background(device);
        due(device);
    }
    report();
    rules_->on_silence(Millis(0), changed_);
    take_in();
}

void OutageWorld::run_calm(int seconds) {
    if (now_s_ == 0) {
        for (Device& device : devices_) {
            const bool away = random_.chance(background_);
            set_state(device, away ? PresenceState::offline : PresenceState::online,
                      away ? Cause::connection_lost : Cause::connect);
        }
        // What was so before the role began is nobody's outage.
        rules_->set_judging(false);
        report();
        restart();
    }
    for (int i = 0; i < seconds; ++i) {
        second();
    }
}

void OutageWorld::strike() {
    const std::int64_t strike_s = now_s_ + 1;
    if (truth_.kind == CauseKind::pipeline_lag) {
        return;
    }
    for (Device& device : devices_) {
        device.gateway = device.document.gateway;
        const bool there = device.document.state == PresenceState::online || truth_.kind == CauseKind::planned_work;
        if (there && is_in_scope(device, truth_.scope) && random_.chance(share_)) {
            device.hit = true;
            ++truth_.members;
            device.verdict_at_s =
                strike_s + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(slowest_s_)));
        }
    }
}

void OutageWorld::strike_all() {
    truth_.scope.clear();
    share_ = 1;
    slowest_s_ = 2;
    verdict_ = Cause::connection_lost;
    strike();
}

void OutageWorld::kill_a_gateway() {
    verdict_ = Cause::gateway_lost;
    share_ = 1;
    slowest_s_ = 2;
}

void OutageWorld::run_outage(int seconds) {
    for (int i = 0; i < seconds; ++i) {
        second(truth_.kind != CauseKind::pipeline_lag);
    }
}

void OutageWorld::recover() {
    for (Device& device : devices_) {
        if (device.hit) {
            device.back_at_s = now_s_ + 1 + static_cast<std::int64_t>(random_.below(60));
        }
    }
}

void OutageWorld::restart() {
    rules_.emplace();
    (void)rules_->put(default_rule(), changed_);
    rules_->set_judging(false);
    for (const Device& device : devices_) {
        (void)rules_->on_status(device.document);
    }
    report();
    for (const auto& [id, incident] : last_) {
        rules_->adopt(incident, changed_);
    }
    rules_->set_judging(true);
}

void OutageWorld::run() {
    run_calm(140);
    strike();
    run_outage(130);
    recover();
    run_calm(200);
}

std::vector<Incident> OutageWorld::told() const {
    std::vector<Incident> out;
    for (const std::string& id : order_) {
        out.push_back(last_.at(id));
    }
    return out;
}

}  // namespace muster::sim
