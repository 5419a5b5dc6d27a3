import { describe, expect, test } from 'vitest';
import { counts, region } from '../testing/fixtures';
import { marksOf, unplaced } from './marks';

const project = (lon: number, lat: number): [number, number] => [lon, -lat];
const tight = (lon: number, lat: number): [number, number] => [lon / 1000, -lat / 1000];

const india = [
  region('in', { leaf: false, lat: 20, lon: 78, counts: counts({ total: 300 }) }),
  region('in/karnataka', { lat: 14, lon: 76, counts: counts({ total: 200 }) }),
  region('in/gujarat', { lat: 22, lon: 71, counts: counts({ total: 100 }) }),
];
const many = Array.from({ length: 60 }, (_, index) => region(`x${index}`, { lat: index, lon: index }));
const ids = (list: { id: string }[]) => list.map((mark) => mark.id).sort();

describe('marks', () => {
  test('of a small fleet are its narrowest regions', () => expect(ids(marksOf(india, tight))).toEqual(['in/gujarat', 'in/karnataka']));

  test('of a large fleet stay together while their parts lie close', () => {
    const marks = ids(marksOf([...india, ...many], tight));
    expect(marks).toContain('in');
    expect(marks).not.toContain('in/karnataka');
  });

  test('fall apart where one part has an incident', () => {
    const troubled = india.map((item) => (item.region === 'in/karnataka' ? { ...item, incident: 'inc-1' } : item));
    const marks = marksOf([...troubled, ...many], tight);
    expect(ids(marks)).toContain('in/karnataka');
    expect(marks.find((mark) => mark.id === 'in/karnataka')?.pinned).toBe(true);
  });

  test('never count a device twice', () => {
    const total = marksOf([...india, ...many], tight).reduce((sum, mark) => sum + mark.region.counts.total, 0);
    expect(total).toBe(300 + 60 * 100);
  });

  test('a region without a place of its own stands in the middle of its parts', () => {
    const placeless = [...many, { ...(india[0] as (typeof india)[0]), lat: null, lon: null }, ...india.slice(1)];
    const mark = marksOf(placeless, tight).find((candidate) => candidate.id === 'in');
    expect(mark?.x).toBeCloseTo((76 * 200 + 71 * 100) / 300 / 1000);
  });

  test('the larger region has the larger mark', () => {
    const [large, small] = marksOf(india, project).sort((a, b) => b.region.counts.total - a.region.counts.total);
    expect(large?.radius).toBeGreaterThan(small?.radius ?? Infinity);
  });

  test('devices whose region has no place are owned up to', () => {
    const regions = [region('in', { lat: 20, lon: 78 }), region('mars')];
    expect(unplaced(regions, marksOf(regions, project))).toBe(100);
  });
});
