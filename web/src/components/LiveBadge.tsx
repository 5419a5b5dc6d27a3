import { Pause, Play } from 'lucide-react';
import { clock, duration } from '../format/time';
import { useLiveStore } from '../live/context';
import type { Liveness } from './liveness';
import { useNow } from './now';

function words(liveness: Liveness, now: number): [word: string, detail: string] {
  switch (liveness.kind) {
    case 'live':
      return ['Live', ''];
    case 'connecting':
      return ['Connecting', ''];
    case 'paused':
      return ['Paused', clock(liveness.since)];
    case 'reconnecting':
      return ['Reconnecting', duration(now - liveness.since)];
    case 'stale':
      return ['Stale', duration(now - liveness.since)];
    case 'stalled':
      return ['Stalled', duration(now - liveness.since)];
  }
}

function Dot({ kind }: { kind: Liveness['kind'] }) {
  if (kind === 'live') return <span className="live-dot" aria-hidden="true" />;
  const colour = kind === 'paused' || kind === 'connecting' ? 'border-unknown' : 'border-warn-fill';
  return <span className={`size-2 rounded-full border-[1.5px] border-dashed ${colour}`} aria-hidden="true" />;
}

/** Whether the numbers are live, and if not, since when. */
export function LiveBadge({ liveness }: { liveness: Liveness }) {
  const store = useLiveStore();
  const [word, detail] = words(liveness, useNow());
  const paused = liveness.kind === 'paused';
  return (
    <>
      <span
        role="status"
        className="num flex h-7 items-center gap-1.5 rounded-control border border-line2 bg-panel px-2.5 text-body whitespace-nowrap"
      >
        <Dot kind={liveness.kind} />
        <span className="font-medium">{word}</span>
        {detail && <span className="text-fg3 max-desk:hidden">· {detail}</span>}
      </span>
      <button
        type="button"
        className="button button-ghost button-icon"
        aria-label={paused ? 'Resume live updates' : 'Pause live updates'}
        title={paused ? 'Resume live updates' : 'Pause live updates'}
        onClick={() => (paused ? store.resume() : store.pause())}
      >
        {paused ? <Play size={15} /> : <Pause size={15} />}
      </button>
    </>
  );
}
