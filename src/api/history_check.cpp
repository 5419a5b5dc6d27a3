#include "api/history_check.h"

#include "api/json_writer.h"
#include "base/thread.h"

namespace muster {

HistoryCheckRun::HistoryCheckRun(const HistoryStore& history, std::atomic<bool>& running) : running_(running) {
    thread_ = start_thread("history-check", [this, &history] {
        auto result = history.verify([this](std::uint64_t checked) {
            checked_ = checked;
            return !unwanted_.load();
        });
        const std::lock_guard lock(mutex_);
        result_ = std::move(result);
        running_ = false;
    });
}

HistoryCheckRun::~HistoryCheckRun() {
    unwanted_ = true;
    thread_.join();
}

Result<BodySource::Piece> HistoryCheckRun::next(std::string& out) {
    const std::lock_guard lock(mutex_);
    if (result_ && !*result_) {
        return tl::unexpected(result_->error());
    }
    JsonWriter writer(out);
    if (!result_) {
        const std::uint64_t checked = checked_;
        if (told_ != checked) {
            told_ = checked;
            writer.begin_object().member("checked", checked).end_object();
            out.push_back('\n');
        }
        return Piece::later;
    }
    const HistoryCheck& check = **result_;
    writer.begin_object()
        .member("ok", check.damaged == 0)
        .member("chunks", check.chunks)
        .member("samples", check.samples)
        .member("rollups", check.rollups)
        .member("transitions", check.transitions)
        .member("baseline_devices", check.baseline_devices)
        .member("bytes", check.bytes)
        .member("damaged", check.damaged)
        .key("examples")
        .begin_array();
    for (const std::string& example : check.damaged_examples) {
        writer.value(example);
    }
    writer.end_array().end_object();
    out.push_back('\n');
    return Piece::last;
}

}  // namespace muster
