import type { Counts, FleetPoint } from '../../api/types';

/** What has changed since the series' first point; null while there is no series to compare with. */
export interface Trend {
  /** Online share now minus then, in percentage points. */
  points: number;
  online: number;
  offline: number;
  unknown: number;
  span_ms: number;
}

/** The series does not say how many devices there were; the share then is taken of today's total. */
export function trendOf(series: FleetPoint[] | undefined, counts: Counts, now: number): Trend | null {
  const first = series?.[0];
  if (!first || counts.total === 0 || now - first.t < 60_000) return null;
  const seen = first.online + first.offline + first.unknown;
  if (seen === 0) return null;
  return {
    points: (counts.online / (counts.online + counts.offline + counts.unknown || 1) - first.online / seen) * 100,
    online: counts.online - first.online,
    offline: counts.offline - first.offline,
    unknown: counts.unknown - first.unknown,
    span_ms: now - first.t,
  };
}
