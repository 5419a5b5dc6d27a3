#pragma once

#include <algorithm>

#include "base/time.h"
#include "contract/presence.h"
#include "net/timer_wheel.h"

namespace muster {

struct Session;
class SessionService;

/// What is due while a client is away: its delayed will, the end of its session. Owned by that session; exists only
/// while one of the two is to come. One thread.
class AwayTimer final : public net::Timer {
 public:
    AwayTimer(SessionService& service, Session& session, Cause why, Millis away_since)
        : cause(why), since(away_since), service_(service), session_(session) {}

    const Cause cause;   ///< why the client is away: the will says so
    const Millis since;  ///< monotonic; may lie before this process
    Millis will_due = Millis::max();
    Millis session_ends = Millis::max();

    [[nodiscard]] Millis next() const { return std::min(will_due, session_ends); }

 private:
    void on_timer() override;

    SessionService& service_;
    Session& session_;
};

}  // namespace muster
