#include "status/embedded_status_store.h"

#include <algorithm>

#include <rocksdb/write_batch.h>

#include "base/log.h"
#include "status/device_codec.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

constexpr std::size_t list_limit_max = 1000;
/// A listing that finds little lets writers in between: about a millisecond of looking.
constexpr std::size_t looked_at_once_max = 10'000;
constexpr std::size_t snapshot_batch_devices = 1000;

constexpr std::string_view cannot_write = "cannot write the status snapshot";

}  // namespace

EmbeddedStatusStore::EmbeddedStatusStore(EmbeddedStatusStoreOptions options, std::unique_ptr<RocksDatabase> snapshot,
                                         MetricRegistry& metrics)
    : options_(std::move(options)),
      snapshot_(std::move(snapshot)),
      counts_(metrics),
      devices_(metrics.gauge("muster_status_devices", "Devices in the status store")),
      refresh_(metrics.on_render([this] {
          const std::shared_lock lock(mutex_);
          devices_.Set(static_cast<double>(table_.size()));
      })) {}

EmbeddedStatusStore::~EmbeddedStatusStore() = default;

Result<std::unique_ptr<EmbeddedStatusStore>> EmbeddedStatusStore::open(EmbeddedStatusStoreOptions options,
                                                                       MetricRegistry& metrics) {
    auto snapshot = RocksDatabase::open({.directory = options.directory, .what = "status snapshot"});
    if (!snapshot) {
        return tl::unexpected(snapshot.error());
    }
    std::unique_ptr<EmbeddedStatusStore> store(
        new EmbeddedStatusStore(std::move(options), std::move(*snapshot), metrics));
    if (const auto restored = store->restore(); !restored) {
        return tl::unexpected(restored.error());
    }
    return store;
}

Result<void> EmbeddedStatusStore::restore() {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.readahead_size = 2U << 20U;
    const std::unique_ptr<rocksdb::Iterator> iterator(snapshot_->db().NewIterator(options));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
        const std::string_view id = view_of(iterator->key());
        const auto device = decode_device(id, view_of(iterator->value()));
        if (!device || !is_valid_device_id(id)) {
            return fail(
                ErrorCode::corrupt, "stored data is damaged and was left as it is",
                "the status snapshot in " + options_.directory + " has a damaged device " + std::string(id) +
                    "; restore the directory from a backup, or move it away to have it built again from the bus");
        }
        table_.restore(*device);
    }
    if (!iterator->status().ok()) {
        return fail(ErrorCode::corrupt, "stored data is damaged and was left as it is",
                    "the status snapshot in " + options_.directory + " cannot be read (" +
                        iterator->status().ToString() +
                        "); restore the directory from a backup, or move it away to have it built again from the bus");
    }
    table_.order();
    return {};
}

Result<void> EmbeddedStatusStore::apply(std::span<const StatusDocument> transitions,
                                        std::span<const StatusTouch> touches) {
    std::vector<StatusDocument> news;  // only where not all are
    std::vector<StatusTouch> telemetry;
    std::size_t unknown = 0;
    {
        const std::unique_lock lock(mutex_);
        for (const StatusDocument& document : transitions) {
            const auto applied = table_.apply(document, options_.devices_max);
            if (applied == DeviceTable::Applied::yes) {
                news.push_back(document);
            }
            counts_.redelivered.Increment(applied == DeviceTable::Applied::redelivered ? 1 : 0);
            counts_.left_out.Increment(applied == DeviceTable::Applied::refused ? 1 : 0);
        }
        for (const StatusTouch& touch : touches) {
            if (!table_.touch(touch)) {
                ++unknown;
            } else if (touch.telemetry_time != Timestamp{}) {
                telemetry.push_back(touch);
            }
        }
    }
    counts_.applied.Increment(static_cast<double>(news.size()));
    counts_.touches.Increment(static_cast<double>(touches.size()));
    counts_.unknown_touches.Increment(static_cast<double>(unknown));
    watchers_.tell(news, telemetry);
    return {};
}

Result<std::optional<DeviceStatus>> EmbeddedStatusStore::get(std::string_view id) const {
    const std::shared_lock lock(mutex_);
    return table_.get(id);
}

std::shared_lock<std::shared_mutex> EmbeddedStatusStore::lock_ordered() const {
    std::shared_lock lock(mutex_);
    if (!table_.is_ordered()) {
        lock.unlock();
        {
            const std::unique_lock writing(mutex_);
            table_.order();
        }
        lock.lock();  // devices that come in between are in the next listing
    }
    return lock;
}

Result<DevicePage> EmbeddedStatusStore::list(const DeviceFilter& filter, std::string_view after,
                                             std::size_t limit) const {
    if (limit == 0 || limit > list_limit_max) {
        return fail(ErrorCode::invalid_argument, "a page has 1 to 1000 devices");
    }
    DevicePage page;
    std::string at(after);
    bool at_end = false;
    auto lock = lock_ordered();
    // One more than asked for tells whether there are more.
    while (!at_end && page.devices.size() <= limit) {
        at_end = table_.list(filter, at, limit + 1, looked_at_once_max, page.devices);
        lock.unlock();
        lock.lock();
    }
    if (page.devices.size() > limit) {
        page.devices.pop_back();
        page.next_after = page.devices.back().document.id;
    }
    return page;
}

Result<RegionCounts> EmbeddedStatusStore::counts(std::string_view region) const {
    const std::shared_lock lock(mutex_);
    const auto number = table_.regions().find(region);
    return number == RegionTree::absent ? RegionCounts{} : table_.regions().counts(number);
}

Result<std::vector<std::pair<std::string, RegionCounts>>> EmbeddedStatusStore::regions() const {
    const std::shared_lock lock(mutex_);
    return table_.regions().all();
}

std::shared_ptr<void> EmbeddedStatusStore::watch(OnTransition on_transition, OnTouch on_touch) {
    return watchers_.add(std::move(on_transition), std::move(on_touch));
}

Result<void> EmbeddedStatusStore::checkpoint() {
    const std::lock_guard alone(checkpoint_mutex_);
    if (last_write_failed_) {
        if (auto reopened = snapshot_->reopen(); !reopened) {
            return reopened;
        }
    }
    std::vector<DeviceTable::Index> changed;
    {
        const std::unique_lock lock(mutex_);
        changed = table_.take_changed();
    }
    auto written = write_snapshot(changed);
    last_write_failed_ = !written;
    if (!written) {
        const std::unique_lock lock(mutex_);
        table_.put_back_changed(changed);
    }
    return written;
}

Result<void> EmbeddedStatusStore::write_snapshot(std::span<const DeviceTable::Index> devices) {
    rocksdb::WriteBatch batch;
    std::string packed;
    while (!devices.empty()) {
        const auto some = devices.first(std::min(snapshot_batch_devices, devices.size()));
        devices = devices.subspan(some.size());
        batch.Clear();
        {
            const std::shared_lock lock(mutex_);
            for (const DeviceTable::Index index : some) {
                const DeviceStatus device = table_.status(index);
                packed.clear();
                encode_device(device, packed);
                batch.Put(device.document.id, packed);
            }
        }
        if (auto written = rocks_result(snapshot_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write);
            !written) {
            return written;
        }
    }
    return rocks_result(snapshot_->db().FlushWAL(true), cannot_write);
}

}  // namespace muster
