import { describe, expect, test } from 'vitest';
import type { Frame } from '../api/types';
import { change, device, fleet, incident } from '../testing/fixtures';
import { changesMax, incidentsMax, initialLive, mergeIncidents, reduce, type LiveAction, type LiveState } from './reducer';

const run = (actions: LiveAction[], from: LiveState = initialLive): LiveState => actions.reduce(reduce, from);
const frame = (value: Frame, at = 1000): LiveAction => ({ type: 'frame', frame: value, at });
const changes = (ids: string[], part: { rate?: number; sampled?: number } = {}): LiveAction =>
  frame({ type: 'changes', data: ids.map((id) => change(id)), sampled: part.sampled ?? 1, rate: part.rate ?? 0 });

describe('the link', () => {
  test('keeps the time of the loss over failed attempts', () => {
    const state = run([
      { type: 'connect' }, { type: 'opened', at: 100 }, frame({ type: 'hello', version: '0.1.0', time: 0 }, 400),
      { type: 'lost', at: 500, retryAt: 900 }, { type: 'connect' }, { type: 'lost', at: 950, retryAt: 2000 },
    ]);
    expect(state).toMatchObject({ link: 'waiting', lostAt: 400, retryAt: 2000, attempts: 2 });
  });

  test('forgets the loss once it is open', () => {
    const state = run([{ type: 'lost', at: 500, retryAt: 900 }, { type: 'opened', at: 1000 }]);
    expect(state).toMatchObject({ link: 'open', lostAt: null, retryAt: null, attempts: 0 });
  });

  test('keeps the picture while it is lost', () => {
    const state = run([frame({ type: 'fleet', data: fleet() }), { type: 'lost', at: 500, retryAt: 900 }]);
    expect(state.fleet?.counts.total).toBe(1000);
  });

  test('forgets everything when it is stopped: another token may see less', () =>
    expect(run([frame({ type: 'fleet', data: fleet() }), { type: 'stop' }])).toEqual(initialLive));
});

describe('frames', () => {
  test('the latest fleet wins', () => {
    const state = run([frame({ type: 'fleet', data: fleet({ lag_ms: 1 }) }), frame({ type: 'fleet', data: fleet({ lag_ms: 2 }) })]);
    expect(state.fleet?.lag_ms).toBe(2);
  });

  test('changes stand newest first, each with a number of its own', () => {
    const state = run([changes(['a', 'b']), changes(['c'])]);
    expect(state.changes.map((item) => item.id)).toEqual(['c', 'b', 'a']);
    expect(new Set(state.changes.map((item) => item.sequence)).size).toBe(3);
  });

  test('changes of one frame are ordered by their time', () => {
    const state = run([frame({ type: 'changes', data: [change('late', { time: 20 }), change('early', { time: 10 })], sampled: 1, rate: 1 })]);
    expect(state.changes.map((item) => item.id)).toEqual(['late', 'early']);
  });

  test('the list of changes is bounded', () => {
    const many = Array.from({ length: 60 }, () => changes(Array.from({ length: 50 }, (_, index) => `d${index}`)));
    expect(run(many).changes).toHaveLength(changesMax);
  });

  test('the rate and the sampling are those of the last frame', () =>
    expect(run([changes(['a'], { rate: 212, sampled: 20 })])).toMatchObject({ changeRate: 212, sampled: 20 }));

  test('incidents are kept by id, the newest words win, and there is a bound', () => {
    const many = Array.from({ length: incidentsMax + 5 }, (_, index) => frame({ type: 'alert', data: incident({ id: `i${index}` }) }));
    const state = run([...many, frame({ type: 'alert', data: incident({ id: 'i9', state: 'resolved' }) })]);
    expect(Object.keys(state.incidents)).toHaveLength(incidentsMax);
    expect(state.incidents.i9?.state).toBe('resolved');
    expect(state.incidents.i0).toBeUndefined();
  });

  test('a device is forgotten when nobody watches it', () => {
    const state = run([frame({ type: 'device', id: 'a', data: device() }), { type: 'forget_device', id: 'a' }]);
    expect(state.devices).toEqual({});
  });

  test('a frame of a kind that is not known changes nothing but the time of the last frame', () => {
    const state = run([frame({ type: 'weather' } as unknown as Frame, 77)]);
    expect(state).toEqual({ ...initialLive, lastFrameAt: 77 });
  });
});

describe('pause', () => {
  test('holds the picture and counts what it leaves out', () => {
    const state = run([frame({ type: 'fleet', data: fleet({ lag_ms: 1 }) }), { type: 'pause', at: 5 }, frame({ type: 'fleet', data: fleet({ lag_ms: 2 }) }), changes(['a'])]);
    expect(state).toMatchObject({ pausedAt: 5, held: 2, changes: [] });
    expect(state.fleet?.lag_ms).toBe(1);
  });

  test('does not hide a lost link', () => expect(run([{ type: 'pause', at: 5 }, { type: 'lost', at: 6, retryAt: 7 }]).link).toBe('waiting'));

  test('ends with the next picture', () => {
    const state = run([{ type: 'pause', at: 5 }, { type: 'resume' }, frame({ type: 'fleet', data: fleet({ lag_ms: 3 }) })]);
    expect(state.fleet?.lag_ms).toBe(3);
  });
});

test('what the stream says of an incident lies over the list, open ones first', () => {
  const listed = [incident({ id: 'a', opened: 1 }), incident({ id: 'b', opened: 2 })];
  const live = { a: incident({ id: 'a', state: 'resolved', opened: 1 }), c: incident({ id: 'c', opened: 3 }) };
  expect(mergeIncidents(listed, live).map(({ id, state }) => `${id} ${state}`)).toEqual(['c open', 'b open', 'a resolved']);
});
