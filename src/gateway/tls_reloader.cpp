#include "gateway/tls_reloader.h"

#include <string>
#include <utility>

#include "base/thread.h"

namespace muster {
namespace {

constexpr const char* reloads_name = "muster_gateway_tls_reloads_total";
constexpr const char* reloads_help = "Times that a listener's certificate, key and revocation files were read again";

net::FileWatch files_of(const net::TlsServerOptions& tls) {
    return net::FileWatch({tls.certificate_file, tls.key_file, tls.client_ca_file, tls.crl_file});
}

}  // namespace

TlsReloader::TlsReloader(const std::vector<Listener*>& listeners, Millis interval, std::function<void()> on_reloaded,
                         MetricRegistry& metrics)
    : interval_(interval),
      on_reloaded_(std::move(on_reloaded)),
      reloaded_(metrics.counter(reloads_name, reloads_help, {{"result", "ok"}})),
      failed_(metrics.counter(reloads_name, reloads_help, {{"result", "failed"}})) {
    for (Listener* listener : listeners) {
        if (listener->options().has_tls()) {
            watched_.push_back({listener, files_of(listener->options().tls)});
        }
    }
}

void TlsReloader::start() {
    if (!watched_.empty()) {
        thread_ = start_thread("tls-reload", [this] { run(); });
    }
}

void TlsReloader::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void TlsReloader::reload_now() {
    {
        const std::lock_guard lock(mutex_);
        is_asked_ = true;
    }
    changed_.notify_all();
}

void TlsReloader::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        changed_.wait_for(lock, interval_, [this] { return stopping_ || is_asked_; });
        if (stopping_) {
            return;
        }
        const bool at_all = std::exchange(is_asked_, false);
        lock.unlock();
        look(at_all);
        lock.lock();
    }
}

void TlsReloader::look(bool at_all) {
    bool any = false;
    for (Watched& watched : watched_) {
        const bool has_changed = watched.files.has_changed();
        if (has_changed || at_all || watched.is_stale) {
            any = reload(watched) || any;
        }
    }
    if (any) {
        on_reloaded_();
    }
}

bool TlsReloader::reload(Watched& watched) {
    const Result<void> loaded = watched.listener->reload_tls();
    const bool was_stale = std::exchange(watched.is_stale, !loaded);
    if (!loaded) {
        failed_.Increment();
        if (!was_stale) {
            spdlog::error("gateway: {} goes on with its old certificates: {}", watched.listener->url(),
                          loaded.error().message());
        }
        return false;
    }
    reloaded_.Increment();
    spdlog::info("gateway: {} has new certificates; {} are revoked", watched.listener->url(),
                 watched.listener->tls()->revoked_certificates());
    return true;
}

}  // namespace muster
