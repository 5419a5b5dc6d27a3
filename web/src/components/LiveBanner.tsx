import { Pause, Unplug } from 'lucide-react';
import { clock, duration } from '../format/time';
import { useLiveStore } from '../live/context';
import type { Liveness } from './liveness';
import { useNow } from './now';

/** Waits this long before it says that the stream is lost: a short break is nobody's business. */
const sayAfter_ms = 2000;

function RetryButton({ retryAt, now }: { retryAt: number | null; now: number }) {
  const store = useLiveStore();
  const wait_s = retryAt === null ? 0 : Math.ceil((retryAt - now) / 1000);
  return (
    <button type="button" className="button num" onClick={() => store.retryNow()}>
      {wait_s > 0 ? `Retry in ${wait_s} s` : 'Retrying…'}
    </button>
  );
}

function Band({ soft, icon, children }: { soft: string; icon: React.ReactNode; children: React.ReactNode }) {
  return (
    <div role="alert" className={`num mb-3 flex min-h-10 flex-wrap items-center gap-2.5 rounded-panel px-3.5 py-1.5 ${soft}`}>
      {icon}
      {children}
    </div>
  );
}

/** Says when the picture is old, and of when it is. */
export function LiveBanner({ liveness }: { liveness: Liveness }) {
  const now = useNow();
  const store = useLiveStore();
  const lost = <Unplug size={16} aria-hidden="true" />;
  if (liveness.kind === 'paused') {
    return (
      <Band soft="bg-unknown-soft text-fg2" icon={<Pause size={16} aria-hidden="true" />}>
        <span>
          <b className="font-semibold text-fg">Paused.</b> Showing {clock(liveness.since)}; {liveness.held} updates since.
        </span>
        <button type="button" className="button ml-auto" onClick={() => store.resume()}>
          Resume
        </button>
      </Band>
    );
  }
  if (liveness.kind === 'stalled') {
    return (
      <Band soft="bg-warn-soft text-warn" icon={lost}>
        <span>
          <b className="font-semibold">The pipeline stands still.</b> No new record for {duration(now - liveness.since)};
          states are those of {clock(liveness.since)}.
        </span>
      </Band>
    );
  }
  if ((liveness.kind === 'reconnecting' || liveness.kind === 'stale') && now - liveness.since > sayAfter_ms) {
    return (
      <Band soft="bg-warn-soft text-warn" icon={lost}>
        <span>
          <b className="font-semibold">Live updates lost {duration(now - liveness.since)} ago.</b> Showing{' '}
          {clock(liveness.since)}.
        </span>
        {liveness.kind === 'reconnecting' && (
          <div className="ml-auto">
            <RetryButton retryAt={liveness.retryAt} now={now} />
          </div>
        )}
      </Band>
    );
  }
  return null;
}
