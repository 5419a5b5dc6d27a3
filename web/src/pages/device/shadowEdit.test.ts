import { describe, expect, test } from 'vitest';
import { checkDesired, differences, documentBytesMax, prettyLines, updateBetween } from './shadowEdit';

const problem = (text: string) => {
  const checked = checkDesired(text);
  return checked.ok ? null : checked.problem;
};

describe('a desired state', () => {
  test('is a JSON object', () => expect(checkDesired('{"interval": 60}')).toEqual({ ok: true, desired: { interval: 60 } }));
  test('may be empty', () => expect(checkDesired('')).toEqual({ ok: true, desired: {} }));
  test.each(['[1]', '3', 'null', '"a"'])('is not %s', (text) => expect(problem(text)).toMatch(/must be a JSON object/));
  test('says in which line it is broken', () => expect(problem('{\n  "a": 1,\n  "b": oops\n}')).toMatch(/line 3/));
  test('has no null in an array', () => expect(problem('{"a":{"b":[1,null]}}')).toMatch(/a\.b/));
  test('may delete a key with null', () => expect(problem('{"a":null}')).toBeNull());
  test('is not deeper than eight levels', () => {
    const nested = (levels: number): string => (levels === 0 ? '1' : `{"a":${nested(levels - 1)}}`);
    expect([problem(nested(8)), problem(nested(9))]).toEqual([null, expect.stringMatching(/8 levels/)]);
  });
  test('is not larger than the service takes', () => expect(problem(JSON.stringify({ a: 'x'.repeat(documentBytesMax) }))).toMatch(/At most 8 KB/));
});

describe('an update', () => {
  test('names only what differs', () => expect(updateBetween({ a: 1, b: { c: 1, d: 2 } }, { a: 1, b: { c: 1, d: 3 } })).toEqual({ b: { d: 3 } }));
  test('deletes what was taken away', () => expect(updateBetween({ a: 1, b: { c: 1 } }, { b: {} })).toEqual({ a: null, b: { c: null } }));
  test('takes an array as one value', () => expect(updateBetween({ a: [1, 2] }, { a: [1, 3] })).toEqual({ a: [1, 3] }));
  test('lets an object replace a value', () => expect(updateBetween({ a: 1 }, { a: { b: 2 } })).toEqual({ a: { b: 2 } }));
  test('of nothing is empty', () => expect(updateBetween({ a: { b: [1] } }, { a: { b: [1] } })).toEqual({}));
});

test('the delta is shown leaf by leaf with what is reported instead', () => {
  expect(differences({ gps: { every: 900 }, level: 'warn' }, { gps: { every: 300, on: true } })).toEqual([
    { path: 'gps.every', desired: 900, reported: 300 },
    { path: 'level', desired: 'warn', reported: undefined },
  ]);
});

test('every line of the pretty text knows its path', () => {
  const lines = prettyLines({ a: 1, gps: { every: 300, at: [1] }, z: true });
  expect(lines.filter(({ text }) => text.includes('":')).map(({ path }) => path)).toEqual(['a', 'gps', 'gps.every', 'gps.at', 'z']);
});
