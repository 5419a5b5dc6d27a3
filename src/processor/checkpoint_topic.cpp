#include "processor/checkpoint_topic.h"

#include <map>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/bus_topics.h"
#include "contract/json.h"

namespace muster {
namespace {

constexpr Millis poll_wait{200};
constexpr std::uint32_t places = 2;

std::string piece_key(Partition partition, std::uint32_t place, std::uint32_t piece) {
    return fmt::format("{}:{}:{}", partition, place, piece);
}

}  // namespace

std::string to_json(const CheckpointTopic::Manifest& manifest) {
    return fmt::format("{{\"v\":1,\"place\":{},\"pieces\":{},\"bytes\":{}}}", manifest.place, manifest.pieces,
                       manifest.bytes);
}

Result<CheckpointTopic::Manifest> parse_checkpoint_manifest(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    CheckpointTopic::Manifest manifest;
    if (auto read = json::read(*object, "place", manifest.place)
                        .and_then([&] { return json::read(*object, "pieces", manifest.pieces); })
                        .and_then([&] { return json::read(*object, "bytes", manifest.bytes); });
        !read) {
        return tl::unexpected(read.error());
    }
    if (manifest.place >= places || manifest.bytes > CheckpointTopic::snapshot_bytes_max ||
        manifest.pieces != (manifest.bytes + CheckpointTopic::piece_bytes - 1) / CheckpointTopic::piece_bytes) {
        return fail(ErrorCode::corrupt, "a checkpoint's manifest cannot be");
    }
    return manifest;
}

Result<void> CheckpointTopic::write(Partition partition, std::uint32_t place, std::string_view snapshot, Send send,
                                    Drain drain) {
    Manifest manifest;
    manifest.place = place;
    manifest.bytes = snapshot.size();
    const auto sent = [&](const std::string& key, std::string_view value) {
        return send({.key = key, .value = value, .headers = {}, .time = {}, .partition = partition});
    };
    while (!snapshot.empty()) {
        const std::string_view piece = snapshot.substr(0, piece_bytes);
        snapshot.remove_prefix(piece.size());
        if (!sent(piece_key(partition, place, manifest.pieces), piece)) {
            return fail(ErrorCode::closed, "the role stops");
        }
        ++manifest.pieces;
    }
    if (auto durable = drain(); !durable) {
        return durable;
    }
    if (!sent(fmt::format("{}", partition), to_json(manifest))) {
        return fail(ErrorCode::closed, "the role stops");
    }
    return drain();
}

Result<void> CheckpointTopic::read_all(std::string_view topic, Partition partition,
                                       FunctionRef<void(const ConsumerRecord&)> visit) {
    ConsumerOptions options;
    options.topics = {std::string(topic)};
    options.partitions = {partition};
    auto consumer = bus_.consumer(std::move(options));
    if (!consumer) {
        return tl::unexpected(consumer.error());
    }
    // The first look waits for nothing: most topics are short or empty at a start.
    Millis wait{0};
    do {
        const auto polled = (*consumer)->poll(wait, visit);
        if (!polled) {
            return tl::unexpected(polled.error());
        }
        wait = poll_wait;
    } while (!(*consumer)->caught_up());
    return {};
}

Result<std::optional<CheckpointTopic::Found>> CheckpointTopic::read(Partition partition) {
    std::map<std::string, std::string, std::less<>> records;
    auto all = read_all(bus_topics::checkpoints, partition, [&](const ConsumerRecord& record) {
        records.insert_or_assign(std::string(record.key), std::string(record.value));
    });
    if (!all) {
        return tl::unexpected(all.error());
    }
    const auto named = records.find(fmt::format("{}", partition));
    if (named == records.end()) {
        return std::nullopt;
    }
    const auto manifest = parse_checkpoint_manifest(named->second);
    if (!manifest) {
        return tl::unexpected(manifest.error());
    }
    Found found;
    found.place = manifest->place;
    for (std::uint32_t i = 0; i < manifest->pieces; ++i) {
        const auto piece = records.find(piece_key(partition, manifest->place, i));
        if (piece == records.end()) {
            return fail(ErrorCode::corrupt, "a piece of the checkpoint on the bus is missing");
        }
        found.snapshot += piece->second;
    }
    if (found.snapshot.size() != manifest->bytes) {
        return fail(ErrorCode::corrupt, "the checkpoint on the bus has another size than its manifest says");
    }
    return found;
}

}  // namespace muster
