import type { Fleet } from '../api/types';
import type { LiveState } from '../live/reducer';

/** The stream's frames come about once a second; after this the picture counts as old. */
export const staleAfter_ms = 12_000;

export type Liveness =
  | { kind: 'live' | 'connecting' }
  | { kind: 'paused'; since: number; held: number }
  | { kind: 'reconnecting'; since: number; retryAt: number | null }
  | { kind: 'stale'; since: number }
  | { kind: 'stalled'; since: number };

type Seen = Pick<LiveState, 'link' | 'lostAt' | 'retryAt' | 'lastFrameAt' | 'pausedAt' | 'held'>;

/**
 * How far the picture can be trusted. stale: the connection is open but silent; stalled: the server itself says that
 * its pipeline stands, so that the states are those of `since`.
 */
export function livenessOf(live: Seen, fleet: Pick<Fleet, 'stale' | 'time' | 'lag_ms'> | undefined, now: number): Liveness {
  if (live.pausedAt !== null) return { kind: 'paused', since: live.pausedAt, held: live.held };
  if (live.link === 'waiting') return { kind: 'reconnecting', since: live.lostAt ?? now, retryAt: live.retryAt };
  if (live.link !== 'open') return { kind: 'connecting' };
  if (live.lastFrameAt !== null && now - live.lastFrameAt > staleAfter_ms) return { kind: 'stale', since: live.lastFrameAt };
  if (fleet?.stale) return { kind: 'stalled', since: fleet.time - fleet.lag_ms };
  return { kind: 'live' };
}
