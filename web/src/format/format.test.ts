import { describe, expect, test } from 'vitest';
import { compact, integer, measure, onlinePercent, percent, rate, signed } from './number';
import { ago, delayText, duration } from './time';
import { causeWord, metricName, plural, regionName, regionPath } from './words';

describe('numbers', () => {
  test('are grouped by thousands', () => expect(integer(1_000_000)).toBe('1,000,000'));

  test.each([[0, '0'], [950, '950'], [1000, '1k'], [9240, '9.2k'], [61_230, '61k'], [999_999, '1M'], [1_250_000, '1.25M'], [12_500_000, '12.5M']])(
    '%d fits into a mark as %s', (value, text) => expect(compact(value)).toBe(text));

  test('a share that is not zero is never shown as zero', () => expect(percent(0.0001)).toBe('<0.1%'));
  test('a share that is not everything is never shown as 100', () => expect(percent(0.99999)).toBe('99.9%'));
  test('everything is 100', () => expect(percent(1)).toBe('100%'));
  test('the online share is rounded down', () => expect(onlinePercent(99_996, 100_000)).toBe('99.99'));
  test('a fleet of none has nothing online', () => expect(onlinePercent(0, 0)).toBe('0'));
  test('measured values keep the digits that they deserve', () =>
    expect([0.0421, 3.7, 36.84, 412.3, -79.33].map(measure)).toEqual(['0.042', '3.70', '36.8', '412', '−79.3']));
  test('rates grow into thousands', () => expect(rate(32_400, 'msg/s')).toEqual(['32.4', 'k msg/s']));
  test('a difference carries its sign', () => expect([signed(1204), signed(-38)]).toEqual(['+1,204', '−38']));
});

describe('times', () => {
  test.each([[400, '0 s'], [41_000, '41 s'], [720_000, '12 min'], [7_500_000, '2 h 5 min'], [273_600_000, '3 d 4 h'], [-5000, '0 s']])(
    '%d ms lasts %s', (ms, text) => expect(duration(ms)).toBe(text));
  test('a time ahead of the clock is now', () => expect(ago(2000, 1000)).toBe('just now'));
  test('a delay has the unit of its size', () => expect([0.4, 850, 1800, 120_000].map(delayText)).toEqual(['0.4 ms', '850 ms', '1.8 s', '2 min']));
});

describe('words', () => {
  test('a region is called by its last segment', () => expect(regionName('in/karnataka')).toBe('Karnataka'));
  test('codes are upper case', () => expect(regionPath('in/tamil-nadu/ka-04')).toBe('KA-04, Tamil Nadu, IN'));
  test('a device without a region says so', () => expect(regionName('')).toBe('No region'));
  test('a cause that is not known is still readable', () => expect(causeWord('solar_storm')).toBe('solar storm'));
  test('metrics are named for people', () => expect([metricName('battery_voltage'), metricName('cpu')]).toEqual(['Battery voltage', 'CPU']));
  test('one is singular', () => expect([plural(1, 'device'), plural(2000, 'device')]).toEqual(['1 device', '2,000 devices']));
});
