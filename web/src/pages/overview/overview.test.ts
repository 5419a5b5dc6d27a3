import { expect, test } from 'vitest';
import type { FleetPoint } from '../../api/types';
import { counts, region } from '../../testing/fixtures';
import { worstRegions } from './RegionHeat';
import { trendOf } from './trend';

const point = (t: number, online: number, offline: number): FleetPoint => ({
  t, online, offline, unknown: 0, records_per_s: 0, connects_per_min: 0, incidents_open: 0, detection_p99_ms: null,
});

test('the trend compares with the first point of the series', () => {
  const trend = trendOf([point(0, 980, 20), point(5000, 900, 100)], counts({ online: 960, offline: 40, unknown: 0 }), 3_600_000);
  expect(trend).toMatchObject({ online: -20, offline: 20, span_ms: 3_600_000 });
  expect(trend?.points).toBeCloseTo(-2);
});
test('there is no trend of a minute', () => expect(trendOf([point(0, 1, 0)], counts(), 30_000)).toBeNull());
test('there is no trend without a series', () => expect(trendOf([], counts(), 1e9)).toBeNull());

test('the worst regions come first: by what they are, then by what they were; wide ones are left out', () => {
  const regions = [region('in', { leaf: false, offline_share: 0.5 }), region('in/a', { offline_share: 0.01 }), region('in/b', { offline_share: 0.2 }), region('in/c', { offline_share: 0.01 })];
  const series = { step_s: 60, times: [1, 2], regions: [{ region: 'in/c', offline_share: [0.3, null] }] };
  expect(worstRegions(regions, series, 2).map((line) => line.region.region)).toEqual(['in/b', 'in/c']);
});
