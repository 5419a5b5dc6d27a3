import type { PastFleet } from '../../api/types';

const day_ms = 86_400_000;

export const spans = [
  { value: '1h', text: '1 h', span_ms: 3_600_000 },
  { value: '24h', text: '24 h', span_ms: day_ms },
  { value: '7d', text: '7 d', span_ms: 7 * day_ms },
  { value: '90d', text: '90 d', span_ms: 90 * day_ms },
] as const;

export type SpanKey = (typeof spans)[number]['value'];

/** The time at a share of the slider's way, to the second; null at its end, which is now. */
export function atOf(share: number, key: SpanKey, now: number): number | null {
  const span = spans.find((candidate) => candidate.value === key) ?? spans[1];
  return share >= 1 ? null : Math.floor((now - span.span_ms * (1 - share)) / 1000) * 1000;
}

type PastRegion = PastFleet['regions'][number];

/** The regions with the largest share offline, the innermost ones only: the wide ones repeat them. */
export function worstThen(regions: PastRegion[], count: number): PastRegion[] {
  const parents = new Set(regions.map(({ region }) => region.slice(0, Math.max(0, region.lastIndexOf('/')))));
  return regions
    .filter(({ region, offline_share }) => offline_share > 0 && !parents.has(region))
    .sort((a, b) => b.offline_share - a.offline_share || a.region.localeCompare(b.region))
    .slice(0, count);
}
