#include "alerts/baseline_topic.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/log.h"

namespace muster {
namespace {

// Layout, little-endian:
//   0 u8 version = 1 | 1 u64 hash of "muster" | 9 i64 time of the reports, epoch ms | 17 TelemetryRules::encode_part()
//   ... u32 CRC-32C of all before
constexpr std::uint8_t version = 1;
constexpr std::int64_t turn_ms = BaselineTopic::round.count() / ValueScores::parts;

/// Keys are hashes of the C++ library: those of another one name other devices.
std::uint64_t hash_check() {
    return std::hash<std::string_view>{}("muster");
}

std::optional<std::uint32_t> part_of_key(std::string_view key) {
    std::uint32_t part = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), part);
    const bool whole = error == std::errc() && end == key.data() + key.size();
    return whole && part < ValueScores::parts ? std::optional(part) : std::nullopt;
}

/// The bytes between the head and the checksum; nullopt: not whole, or not of this version.
std::optional<std::string_view> body_of(std::string_view value, Timestamp& time) {
    if (value.size() < sizeof(std::uint32_t)) {
        return std::nullopt;
    }
    const std::string_view checked = value.substr(0, value.size() - sizeof(std::uint32_t));
    ByteReader head(checked);
    ByteReader tail(value.substr(checked.size()));
    const bool known = head.number<std::uint8_t>() == version && head.number<std::uint64_t>() == hash_check();
    time = from_epoch_ms(head.number<std::int64_t>());
    return known && head.ok() && tail.number<std::uint32_t>() == crc32c(checked) ? std::optional(head.rest())
                                                                                 : std::nullopt;
}

}  // namespace

BaselineTopic::BaselineTopic(MetricRegistry& metrics)
    : written_(metrics.counter("muster_alerts_baseline_parts_written_total", "Parts of the baselines put on the bus")),
      restored_(metrics.counter("muster_alerts_baselines_restored_total", "Taken back from the bus at a start")),
      damaged_(metrics.counter("muster_alerts_baseline_parts_damaged_total",
                               "Parts of the baselines that cannot be read: learnt anew")),
      outdated_(metrics.counter("muster_alerts_baseline_parts_outdated_total",
                                "Parts of the baselines that were too old at a start: learnt anew")) {}

void BaselineTopic::take_back(const std::map<std::string, std::string>& newest, RegionRules& rules) {
    for (const auto& [key, value] : newest) {
        Timestamp time{};
        const auto part = part_of_key(key);
        const auto body = body_of(value, time);
        if (part) {
            on_bus_.set(*part);
        }
        if (!part || !body) {
            damaged_.Increment();
            continue;
        }
        const Millis gap = std::max(Millis(0), rules.time() - time);
        outdated_.Increment(gap > ValueScores::gap_max ? 1 : 0);
        const std::size_t before = rules.telemetry().scores().states();
        ByteReader in(*body);
        if (!rules.take_back(*part, in, gap)) {
            damaged_.Increment();
        }
        restored_.Increment(static_cast<double>(rules.telemetry().scores().states() - before));
    }
    is_taken_back_ = true;
    turns_ = rules.elapsed_ms() / turn_ms;
    if (const std::size_t states = rules.telemetry().scores().states(); states != 0) {
        spdlog::info("alerts: {} baselines of devices' values go on from where they were", states);
    }
}

void BaselineTopic::write_due(const RegionRules& rules, Send send) {
    if (!is_taken_back_) {
        return;
    }
    const std::int64_t due = rules.elapsed_ms() / turn_ms;
    turns_ = std::max(turns_, due - std::int64_t{ValueScores::parts});
    for (; turns_ < due; ++turns_) {
        write(static_cast<std::uint32_t>(turns_ % ValueScores::parts), rules, send);
    }
}

void BaselineTopic::write(std::uint32_t part, const RegionRules& rules, Send send) {
    value_.clear();
    ByteWriter out(value_);
    out.number(version);
    out.number(hash_check());
    out.number(to_epoch_ms(rules.time()));
    const bool any = rules.encode_part(part, out);
    out.number(crc32c(value_));
    if (any || on_bus_.test(part)) {
        send(fmt::format("{}", part), any ? std::string_view(value_) : std::string_view());
        on_bus_.set(part, any);
        written_.Increment();
    }
}

}  // namespace muster
