#include "simulator/ground_truth.h"

#include <algorithm>
#include <sstream>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/json.h"

namespace muster {
namespace {

constexpr std::array<std::string_view, 3> truth_names{"online", "offline", "sleeping"};
constexpr std::array<std::string_view, truth_reasons> reason_names{"connect", "outage", "flap",   "radio",
                                                                   "sleep",   "reboot", "broker", "stop"};

template <class Enum, std::size_t Size>
bool parse_name(const std::array<std::string_view, Size>& names, std::string_view name, Enum& out) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) {
        return false;
    }
    out = static_cast<Enum>(found - names.begin());
    return true;
}

bool parse_record(std::string_view line, TruthRecord& record) {
    const auto object = json::parse_object(line);
    std::int64_t time = 0;
    std::string truth;
    std::string why;
    if (!object || !json::read(*object, "t", time) || !json::read(*object, "id", record.id) ||
        !json::read(*object, "truth", truth) || !json::read(*object, "why", why)) {
        return false;
    }
    record.time = from_epoch_ms(time);
    return !record.id.empty() && parse_name(truth_names, truth, record.truth) &&
           parse_name(reason_names, why, record.why);
}

}  // namespace

std::string_view name_of(Truth truth) {
    return truth_names[static_cast<std::size_t>(truth)];
}

std::string_view name_of(TruthReason why) {
    return reason_names[static_cast<std::size_t>(why)];
}

Result<std::unique_ptr<TruthLog>> TruthLog::open(const std::string& path) {
    std::ofstream file;
    if (!path.empty()) {
        file.open(path, std::ios::binary | std::ios::trunc);
        if (!file) {
            return fail(ErrorCode::io, "cannot create the ground truth file", path);
        }
    }
    return std::unique_ptr<TruthLog>(new TruthLog(std::move(file)));
}

TruthLog::~TruthLog() {
    flush();
}

void TruthLog::append(Timestamp time, std::string_view id, Truth truth, TruthReason why) {
    const std::lock_guard lock(mutex_);
    ++counts_[static_cast<std::size_t>(why)];
    if (!file_.is_open()) {
        return;
    }
    fmt::format_to(std::back_inserter(buffer_),
                   R"({{"t":{},"id":"{}","truth":"{}","why":"{}"}})"
                   "\n",
                   to_epoch_ms(time), id, name_of(truth), name_of(why));
    ++buffered_records_;
    if (buffer_.size() >= buffer_bytes_max) {
        write_buffer();
    }
}

void TruthLog::flush() {
    const std::lock_guard lock(mutex_);
    if (!buffer_.empty()) {
        write_buffer();
    }
}

void TruthLog::write_buffer() {
    const bool fits = written_bytes_ + buffer_.size() <= bytes_max;
    if (fits && file_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size())).flush()) {
        written_bytes_ += buffer_.size();
    } else {
        left_out_ += buffered_records_;
    }
    buffer_.clear();
    buffered_records_ = 0;
}

std::array<std::uint64_t, truth_reasons> TruthLog::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

std::uint64_t TruthLog::left_out() const {
    const std::lock_guard lock(mutex_);
    return left_out_;
}

Result<std::vector<TruthRecord>> load_truth(const std::string& path) {
    const std::ifstream file(path, std::ios::binary);
    if (!file) {
        return fail(ErrorCode::not_found, "cannot read the ground truth file", path);
    }
    std::ostringstream whole;
    whole << file.rdbuf();
    const std::string text = std::move(whole).str();
    std::vector<TruthRecord> records;
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
        TruthRecord record;
        if (!parse_record(std::string_view(text).substr(at, end - at), record)) {
            return fail(ErrorCode::malformed, "not a ground truth record",
                        fmt::format("{} line {}", path, records.size() + 1));
        }
        records.push_back(std::move(record));
    }
    return records;
}

}  // namespace muster
