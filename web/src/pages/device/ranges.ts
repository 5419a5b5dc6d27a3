import type { Range } from '../../api/queries';

export const ranges = [
  { value: '1h', text: '1 h', span_ms: 3_600_000 },
  { value: '24h', text: '24 h', span_ms: 86_400_000 },
  { value: '7d', text: '7 d', span_ms: 7 * 86_400_000 },
] as const;

export type RangeKey = (typeof ranges)[number]['value'];

export function rangeOf(key: RangeKey): Range {
  const range = ranges.find((candidate) => candidate.value === key) ?? ranges[0];
  return { key: range.value, span_ms: range.span_ms };
}
