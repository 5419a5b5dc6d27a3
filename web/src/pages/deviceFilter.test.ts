import { expect, test } from 'vitest';
import { isFiltered, parseDeviceFilter, toggled } from './deviceFilter';

test('the address holds the whole filter', () => {
  const filter = { state: 'offline', overlay: 'flapping', region: 'in/karnataka', model: 'ax-2', q: '0042' };
  expect(parseDeviceFilter(filter)).toEqual(filter);
});
test('words that the API does not know are dropped', () => expect(parseDeviceFilter({ state: 'sad', overlay: 1, page: '3' })).toEqual({}));
test('blank criteria are none', () => expect(parseDeviceFilter({ region: '  ', q: '' })).toEqual({}));
test('choosing another value replaces the first', () => expect(toggled({ state: 'online' }, 'state', 'offline')).toEqual({ state: 'offline' }));
test('choosing what is chosen takes it off', () => expect(toggled({ state: 'online', q: 'a' }, 'state', 'online')).toEqual({ q: 'a' }));
test('an empty filter is no filter', () => expect([isFiltered({}), isFiltered({ q: 'a' })]).toEqual([false, true]));
