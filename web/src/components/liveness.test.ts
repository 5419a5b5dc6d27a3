import { expect, test } from 'vitest';
import { initialLive } from '../live/reducer';
import { livenessOf, staleAfter_ms } from './liveness';

const open = { ...initialLive, link: 'open' as const, lastFrameAt: 1000 };
const good = { stale: false, time: 1000, lag_ms: 100 };

test('frames that come make the picture live', () => expect(livenessOf(open, good, 1500).kind).toBe('live'));
test('an open but silent link is stale since its last frame', () =>
  expect(livenessOf(open, good, 1001 + staleAfter_ms)).toEqual({ kind: 'stale', since: 1000 }));
test('a stalled pipeline counts from the time of its records', () =>
  expect(livenessOf(open, { stale: true, time: 9000, lag_ms: 8000 }, 1500)).toEqual({ kind: 'stalled', since: 1000 }));
test('a lost link says since when and until when', () =>
  expect(livenessOf({ ...open, link: 'waiting', lostAt: 700, retryAt: 2000 }, good, 1500)).toEqual({ kind: 'reconnecting', since: 700, retryAt: 2000 }));
test('pausing is the reader’s own doing, whatever the link', () =>
  expect(livenessOf({ ...open, link: 'waiting', pausedAt: 900, held: 3 }, good, 1500)).toEqual({ kind: 'paused', since: 900, held: 3 }));
