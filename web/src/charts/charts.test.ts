import { describe, expect, test } from 'vitest';
import type { HistoryPoint } from '../api/types';
import { transition } from '../testing/fixtures';
import { heatColour, worstOf } from './heat';
import { columnsOf, latest } from './points';
import { thinned } from './Sparkline';
import { histogram, ticks, timelineOf } from './spans';

describe('points of a chart', () => {
  const even: HistoryPoint[] = [0, 10, 20, 30].map((time) => [time * 1000, time, time - 1, time + 1, 1, 1]);

  test('become columns in seconds', () => expect(columnsOf(even)).toMatchObject({ times: [0, 10, 20, 30], average: [0, 10, 20, 30], least: [-1, 9, 19, 29] }));

  test('have a break where samples are missing', () =>
    expect(columnsOf([...even, [90_000, 5, 5, 5, 1, 1]]).average).toEqual([0, 10, 20, 30, null, 5]));

  test('have a break where one bucket is absent', () => {
    const buckets: HistoryPoint[] = [0, 60, 120, 240].map((time) => [time * 1000, 1, 1, 1, 30, 1]);
    expect(columnsOf(buckets, 60_000).average).toEqual([1, 1, 1, null, 1]);
    expect(columnsOf(buckets, 10_000).average).toEqual([1, 1, 1, 1]);
  });

  test('keep a gap that the server marks', () => expect(columnsOf([[0, 1, 1, 1, 1, 1], [1000, null, null, null, 0, 0]]).average).toEqual([1, null]));
  test('one point is no gap', () => expect(columnsOf([[0, 1, 1, 1, 1, 1]]).average).toEqual([1]));
  test('the latest value is the last that there is', () => expect(latest([[0, 7, 7, 7, 1, 1], [1, null, null, null, 0, 0]])).toBe(7));
});

describe('a timeline', () => {
  test('begins with what held before the range', () => {
    const { spans } = timelineOf([transition(50, 'offline')], transition(-10, 'online'), 0, 100);
    expect(spans).toEqual([{ state: 'online', from: 0, to: 50 }, { state: 'offline', from: 50, to: 100 }]);
  });

  test('does not guess what was before the first that is known', () =>
    expect(timelineOf([transition(60, 'online')], null, 0, 100).spans[0]).toEqual({ state: null, from: 0, to: 60 }));

  test('joins transitions that do not change the state', () =>
    expect(timelineOf([transition(60, 'online', { cause: 'heartbeat' }), transition(20, 'online')], null, 0, 100).spans).toHaveLength(2));

  test('counts availability over known time only', () => {
    const times = timelineOf([transition(90, 'unknown'), transition(50, 'offline')], transition(-1, 'online'), 0, 100);
    expect(times.availability).toBeCloseTo(50 / 90);
  });

  test('of a device that was never seen has no availability', () => expect(timelineOf([], transition(-1, 'never_seen'), 0, 100).availability).toBeNull());

  test('marks flapping from one transition to the next', () => {
    const newestFirst = [transition(80, 'online'), transition(40, 'offline', { overlays: ['flapping'] }), transition(20, 'online', { overlays: ['flapping'] })];
    expect(timelineOf(newestFirst, null, 0, 100).flapping).toEqual([{ from: 20, to: 80 }]);
  });

  test('counts a disconnect once', () => {
    const newestFirst = [transition(60, 'offline', { cause: 'admin' }), transition(50, 'offline')];
    expect(timelineOf(newestFirst, transition(0, 'online'), 0, 100).disconnects).toEqual([50]);
  });

  test('has its disconnects in bins', () => expect(histogram([0, 1, 99, 100], 0, 100, 4)).toEqual([2, 0, 0, 2]));
  test('has round times on its axis', () => {
    const marks = ticks(Date.UTC(2026, 0, 1, 9, 3), Date.UTC(2026, 0, 1, 10, 3), 6);
    expect(marks).toHaveLength(6);
    expect(marks.every((time) => time % 600_000 === 0)).toBe(true);
  });
});

describe('heat', () => {
  test('a short outage is not averaged away', () => expect(worstOf([0, 0, 0.3, 0], 2)).toEqual([0, 0.3]));
  test('what is not known stays empty', () => expect(worstOf([null, null, 0.1, null], 2)).toEqual([null, 0.1]));
  test('few values are left as they are', () => expect(worstOf([0, 1], 10)).toEqual([0, 1]));
  test('the threshold is fully red', () => expect(heatColour(0.1)).toBe('color-mix(in oklab, var(--bad-fill) 100%, var(--warn-fill))'));
});

test('a sparkline averages what it has no room for', () => expect(thinned([0, 2, null, null, 5, 7], 3)).toEqual([1, null, 6]));
