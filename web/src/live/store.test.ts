import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fleet } from '../testing/fixtures';
import { fakeLive } from '../testing/socket';
import { backoff_ms, backoffFirst_ms, backoffMax_ms } from './backoff';

let live: ReturnType<typeof fakeLive>;

beforeEach(() => {
  vi.useFakeTimers();
  live = fakeLive();
  live.store.start();
});
afterEach(() => live.store.stop());

test('what is watched is subscribed when the socket opens', () => {
  live.store.watch('fleet');
  live.store.watch('regions');
  live.socket().open();
  expect(live.socket().sent).toEqual([{ subscribe: ['fleet', 'regions'] }]);
});

test('two watchers of a topic are one subscription, which ends with the second', () => {
  live.socket().open();
  const first = live.store.watch('fleet');
  const second = live.store.watch('fleet');
  first();
  expect(live.socket().sent).toEqual([{ subscribe: ['fleet'] }]);
  second();
  expect(live.socket().sent.at(-1)).toEqual({ unsubscribe: ['fleet'] });
});

test('a lost socket is opened again after the back-off and subscribes to the same', () => {
  live.store.watch('changes');
  live.socket().open();
  live.socket().break();
  expect(live.store.snapshot()).toMatchObject({ link: 'waiting', attempts: 1 });
  vi.advanceTimersByTime(backoff_ms(0, 0) - 1);
  expect(live.sockets).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(live.sockets).toHaveLength(2);
  live.socket().open();
  expect(live.socket().sent).toEqual([{ subscribe: ['changes'] }]);
  expect(live.store.snapshot().link).toBe('open');
});

test('the reader need not wait for the back-off', () => {
  live.socket().open();
  live.socket().break();
  live.store.retryNow();
  expect(live.sockets).toHaveLength(2);
  vi.advanceTimersByTime(backoffMax_ms);
  expect(live.sockets).toHaveLength(2);
});

test('a silent socket is asked again, then given up', () => {
  live.store.watch('fleet');
  live.socket().open();
  vi.advanceTimersByTime(11_500);
  expect(live.socket().sent.length).toBeGreaterThan(1);
  vi.advanceTimersByTime(10_000);
  expect(live.store.snapshot().link).not.toBe('open');
});

test('frames of a socket that was replaced are not listened to', () => {
  const old = live.socket();
  old.open();
  old.break();
  live.store.retryNow();
  old.say({ type: 'fleet', data: fleet() });
  expect(live.store.snapshot().fleet).toBeNull();
});

test('text that is not JSON does no harm', () => {
  live.socket().open();
  live.socket().onmessage?.({ data: 'nonsense' });
  expect(live.store.snapshot().link).toBe('open');
});

test('resuming asks for the present picture', () => {
  live.store.watch('fleet');
  live.socket().open();
  live.store.pause();
  live.store.resume();
  expect(live.socket().sent.at(-1)).toEqual({ subscribe: ['fleet'] });
});

test('a stopped store stays closed', () => {
  live.socket().open();
  live.store.stop();
  vi.advanceTimersByTime(60_000);
  expect(live.sockets).toHaveLength(1);
});

test('the back-off doubles, is half chance, and has an end', () => {
  expect(backoff_ms(0, 0)).toBe(backoffFirst_ms / 2);
  expect(backoff_ms(1, 0)).toBe(backoffFirst_ms);
  expect(backoff_ms(2, 0.5)).toBe(backoffFirst_ms * 3);
  expect(backoff_ms(1000, 0.999)).toBeLessThanOrEqual(backoffMax_ms);
});
