import { expect, test } from 'vitest';
import type { BatteryForecast } from '../../api/types';
import { emptyIn } from './battery';

const draining: BatteryForecast = { metric: 'battery', state: 'draining', time: 1, value: 40, per_day: -4, days: 10.2, days_low: 8.9, days_high: 12.4 };

test('the days of a battery are told with their interval', () => {
  expect(emptyIn(draining)).toBe('empty in 10 days (8.9 to 12)');
  expect(emptyIn({ ...draining, days_high: null })).toBe('empty in 10 days (8.9 or more)');
});

test('what is not known is not told', () => {
  expect(emptyIn(undefined)).toBeNull();
  expect(emptyIn({ ...draining, state: 'unknown', days: null })).toBeNull();
  expect(emptyIn({ ...draining, state: 'steady', days: null })).toBeNull();
  expect(emptyIn({ ...draining, state: 'charging', days: null })).toBe('charging');
});
