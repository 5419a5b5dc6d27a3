import { describe, expect, test } from 'vitest';
import { counts } from '../../testing/fixtures';
import { atOf, worstThen } from './scrub';

describe('the slider', () => {
  test('at its end is now', () => expect(atOf(1, '24h', 5_000_000)).toBeNull());
  test('at its beginning is a span ago, to the second', () => expect(atOf(0, '1h', 5_000_999)).toBe(1_400_000));
  test('half way is half a span ago', () => expect(atOf(0.5, '1h', 5_000_000)).toBe(3_200_000));
});

test('the worst regions of a time are the innermost with any device offline, the worst first', () => {
  const past = (region: string, offline_share: number) => ({ region, offline_share, counts: counts() });
  const regions = [past('in', 0.4), past('in/ka', 0.8), past('in/kl', 0), past('ng/lagos', 0.1)];
  expect(worstThen(regions, 2).map(({ region }) => region)).toEqual(['in/ka', 'ng/lagos']);
  expect(worstThen([past('in', 0.4)], 2)).toHaveLength(1);
});
