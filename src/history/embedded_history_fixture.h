#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "history/embedded_history_store.h"
#include "storage/embedded_rocksdb.h"
#include "storage/scratch_directory.h"

namespace muster {

/// For tests: an embedded history that is closed and opened again, and what it has stored.
class HistoryOnDisk : public ::testing::Test {
 protected:
    static constexpr std::int64_t start_ms = 1'700'006'400'000;  // the beginning of a day
    static constexpr std::int64_t hour_ms = 3'600'000;
    static constexpr std::int64_t day_ms = 24 * hour_ms;
    using Model = std::map<std::string, std::map<std::string, std::map<std::int64_t, double>>>;

    void open(rocksdb::Env* env = nullptr) {
        store_.reset();
        auto opened = EmbeddedHistoryStore::open(options(env), metrics_);
        ASSERT_TRUE(opened) << opened.error().message();
        store_ = std::move(*opened);
    }
    EmbeddedHistoryStoreOptions options(rocksdb::Env* env = nullptr) {
        EmbeddedHistoryStoreOptions made;
        made.directory = directory_.path() + "/history";
        made.env = env;
        return made;
    }
    void append(const std::string& device, std::int64_t time, double value) {
        const std::pair<std::string_view, double> metrics[] = {{"temp", value}};
        const Sample sample{device, from_epoch_ms(time), metrics};
        ASSERT_TRUE(store_->append({&sample, 1}));
    }
    static Transition transition(std::int64_t time, std::int64_t offset) {
        Transition made;
        made.time = from_epoch_ms(time);
        made.state = PresenceState::online;
        made.cause = Cause::connect;
        made.gateway = "gw-1";
        made.offset = offset;
        made.region = "in/karnataka/ka-04";
        return made;
    }
    Model stored(const HistoryStore& store) {
        Model found;
        const auto scanned = store.scan({}, [&](const Sample& sample) {
            for (const auto& [name, value] : sample.metrics) {
                auto& series = found[std::string(sample.device)][std::string(name)];
                EXPECT_FALSE(series.contains(to_epoch_ms(sample.time))) << "doubled";
                series[to_epoch_ms(sample.time)] = value;
            }
            return true;
        });
        EXPECT_TRUE(scanned);
        return found;
    }
    std::size_t samples() { return stored(*store_)["d1"]["temp"].size(); }
    double metric(const std::string& name) {
        const std::string text = metrics_.render();
        const auto at = text.find("\n" + name + " ");
        return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
    }
    /// Opens what the closed store left.
    void change_stored(const std::function<void(RocksDatabase&)>& change) {
        store_.reset();
        auto database = RocksDatabase::open({.directory = directory_.path() + "/history", .what = "history"});
        ASSERT_TRUE(database) << database.error().message();
        change(**database);
    }

    ScratchDirectory directory_;
    MetricRegistry metrics_;
    std::unique_ptr<EmbeddedHistoryStore> store_;
};

}  // namespace muster
