#include "api/history_export.h"

#include <fmt/format.h>

#include "api/device_queries.h"
#include "api/json_writer.h"
#include "api/region_history.h"

namespace muster {

std::optional<ExportFormat> export_format_from(std::string_view name) {
    return name == "csv"      ? std::optional(ExportFormat::csv)
           : name == "ndjson" ? std::optional(ExportFormat::ndjson)
                              : std::nullopt;
}

std::optional<ExportKind> export_kind_from(std::string_view name) {
    return name == "samples"       ? std::optional(ExportKind::samples)
           : name == "transitions" ? std::optional(ExportKind::transitions)
                                   : std::nullopt;
}

HistoryExport::HistoryExport(const HistoryStore& history, const StatusStore& status, ExportRequest request)
    : history_(history), status_(status), request_(std::move(request)) {
    if (!request_.device.empty()) {
        devices_.push_back(request_.device);
        listed_all_ = true;
    }
}

Result<BodySource::Piece> HistoryExport::next(std::string& out) {
    if (!begun_) {
        begun_ = true;
        write_header(out);
    }
    const bool all_samples = request_.kind == ExportKind::samples && request_.device.empty() && request_.region.empty();
    while (!ended_ && out.size() < piece_bytes) {
        const auto written = all_samples                            ? write_all_samples(out)
                             : request_.kind == ExportKind::samples ? write_samples(out)
                                                                    : write_transitions(out);
        if (!written) {
            return tl::unexpected(written.error());
        }
    }
    return ended_ ? Piece::last : Piece::more;
}

void HistoryExport::write_header(std::string& out) const {
    if (request_.format == ExportFormat::csv) {
        out.append(request_.kind == ExportKind::samples
                       ? "device,time,metric,value\r\n"
                       : "device,time,state,cause,since,overlays,region,gateway,epoch,detected_in_ms,offset\r\n");
    }
}

// Samples -------------------------------------------------------------------------------------------------------------

/// Writes until the piece is full: `stopped`, and device_ and from_ say where to go on.
Result<void> HistoryExport::scan(const ScanQuery& query, std::string& out, bool& stopped) {
    stopped = false;
    const auto scanned = history_.scan(query, [&](const Sample& sample) {
        if (sample.device.front() == RegionHistory::mark) {
            return true;  // a region: no device said that
        }
        write(sample, out);
        if (out.size() < piece_bytes) {
            return true;
        }
        device_ = sample.device;
        from_ = sample.time + Millis(1);
        stopped = true;
        return false;
    });
    return scanned ? Result<void>() : tl::unexpected(scanned.error());
}

/// The rest of the device in which the last piece ended, then all devices after it.
Result<void> HistoryExport::write_all_samples(std::string& out) {
    bool stopped = false;
    ScanQuery query{.device = {}, .from = request_.from, .to = request_.to, .after_device = device_};
    if (!device_.empty()) {
        if (auto scanned =
                scan({.device = device_, .from = from_, .to = request_.to, .after_device = {}}, out, stopped);
            !scanned || stopped) {
            return scanned;
        }
    }
    auto scanned = scan(query, out, stopped);
    ended_ = scanned && !stopped;
    return scanned;
}

Result<void> HistoryExport::write_samples(std::string& out) {
    if (auto taken = take_device(); !taken || ended_) {
        return taken;
    }
    bool stopped = false;
    auto scanned = scan({.device = device_, .from = from_, .to = request_.to, .after_device = {}}, out, stopped);
    if (scanned && !stopped) {
        device_.clear();
    }
    return scanned;
}

void HistoryExport::write(const Sample& sample, std::string& out) {
    if (request_.format == ExportFormat::ndjson) {
        JsonWriter writer(out);
        writer.begin_object().member("device", sample.device).member("time", sample.time).key("metrics").begin_object();
        for (const auto& [name, value] : sample.metrics) {
            writer.member(name, value);
        }
        writer.end_object().end_object();
        out.push_back('\n');
        return;
    }
    for (const auto& [name, value] : sample.metrics) {
        quoted_.clear();
        append_csv_field(quoted_, name);
        fmt::format_to(std::back_inserter(out), "{},{},{},", sample.device, to_epoch_ms(sample.time), quoted_);
        json::append_number(out, value);
        out.append("\r\n");
    }
}

// Transitions ---------------------------------------------------------------------------------------------------------

/// The next device, when none is being written; ended_ when there is none.
Result<void> HistoryExport::take_device() {
    if (!device_.empty()) {
        return {};
    }
    while (devices_.empty() && !listed_all_) {
        DeviceFilter filter;
        filter.region = request_.region;
        const auto page = status_.list(filter, listed_after_, devices_a_page);
        if (!page) {
            return tl::unexpected(page.error());
        }
        for (const DeviceStatus& device : page->devices) {
            devices_.push_back(device.document.id);
        }
        listed_after_ = page->next_after;
        listed_all_ = page->next_after.empty();
    }
    if (devices_.empty()) {
        ended_ = true;
        return {};
    }
    device_ = std::move(devices_.front());
    devices_.pop_front();
    from_ = request_.from;
    due_ = {.device = {}, .from = request_.from, .to = request_.to, .limit = transitions_a_page};
    return {};
}

Result<void> HistoryExport::write_transitions(std::string& out) {
    if (auto taken = take_device(); !taken || ended_) {
        return taken;
    }
    due_.device = device_;
    const auto transitions = history_.transitions(due_);
    if (!transitions) {
        return tl::unexpected(transitions.error());
    }
    for (const Transition& transition : *transitions) {
        write(transition, out);
    }
    if (transitions->size() < due_.limit) {
        device_.clear();
    } else {
        due_.to = transitions->back().time;
        due_.to_offset = transitions->back().offset;
    }
    return {};
}

void HistoryExport::write(const Transition& transition, std::string& out) {
    const Timestamp since = transition.since == Timestamp{} ? transition.time : transition.since;
    if (request_.format == ExportFormat::ndjson) {
        JsonWriter writer(out);
        writer.begin_object()
            .member("device", device_)
            .member("time", transition.time)
            .member("state", name_of(transition.state))
            .member("cause", name_of(transition.cause))
            .member("since", since)
            .key("overlays")
            .raw(overlays_json(transition.overlays))
            .member("region", transition.region)
            .member("gateway", transition.gateway)
            .member("epoch", transition.epoch)
            .member("detected_in_ms", transition.detected_in_ms)
            .member("offset", transition.offset)
            .end_object();
        out.push_back('\n');
        return;
    }
    quoted_.clear();
    append_csv_field(quoted_, transition.gateway);
    std::string overlays;
    for (const Overlay overlay : all_overlays) {
        if (has(transition.overlays, overlay)) {
            overlays.append(overlays.empty() ? "" : " ").append(name_of(overlay));
        }
    }
    fmt::format_to(std::back_inserter(out), "{},{},{},{},{},{},{},{},{},{},{}\r\n", device_,
                   to_epoch_ms(transition.time), name_of(transition.state), name_of(transition.cause),
                   to_epoch_ms(since), overlays, transition.region, quoted_, transition.epoch,
                   transition.detected_in_ms, transition.offset);
}

}  // namespace muster
