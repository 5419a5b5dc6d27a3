import { expect, test } from 'vitest';
import { device } from '../../testing/fixtures';
import { changedFacts, coordinateProblem, factsText } from './facts';

const before = factsText(device());

test('only what was changed is sent', () => expect(changedFacts(before, { ...before, region: ' in/kerala ' })).toEqual({ region: 'in/kerala' }));
test('a place goes as a whole', () => expect(changedFacts(before, { ...before, lat: '15' })).toEqual({ lat: 15, lon: 76.1 }));
test('nothing changed is nothing sent', () => expect(changedFacts(before, before)).toEqual({}));
test.each([['91', '0', /latitude/], ['1', '', /longitude/], ['x', '0', /latitude/], ['1', '-181', /longitude/]])('%s, %s is no place', (lat, lon, words) =>
  expect(coordinateProblem({ ...before, lat, lon })).toMatch(words));
test('no place at all is no problem', () => expect(coordinateProblem({ ...before, lat: '', lon: ' ' })).toBeNull());
