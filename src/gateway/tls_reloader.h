#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "gateway/listener.h"
#include "net/file_watch.h"

namespace muster {

/// Looks whether the certificates, keys and revocation lists of the TLS listeners are still the ones that were read,
/// and reads them anew when not: new connections get the new ones, and whoever is revoked goes (G10). What cannot be
/// read leaves the old ones in force, is told and counted, and is tried again at every look. A thread of its own,
/// because a long list takes its time. Owned by the Gateway.
class TlsReloader final {
 public:
    /// `on_reloaded` is called by this object's thread.
    TlsReloader(const std::vector<Listener*>& listeners, Millis interval, std::function<void()> on_reloaded,
                MetricRegistry& metrics);
    ~TlsReloader() { stop(); }
    TlsReloader(const TlsReloader&) = delete;
    TlsReloader& operator=(const TlsReloader&) = delete;

    /// Does nothing when there is no TLS listener.
    void start();
    void stop();
    /// Any thread: reads all of them at once, changed or not.
    void reload_now();

 private:
    struct Watched {
        Listener* listener;
        net::FileWatch files;
        bool is_stale = false;  ///< changed, and could not be read yet
    };

    void run();
    void look(bool at_all);
    [[nodiscard]] bool reload(Watched& watched);

    std::vector<Watched> watched_;
    const Millis interval_;
    const std::function<void()> on_reloaded_;
    Counter& reloaded_;
    Counter& failed_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_asked_ = false;  ///< under mutex
    bool stopping_ = false;  ///< under mutex
    std::thread thread_;
};

}  // namespace muster
