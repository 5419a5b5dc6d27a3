import type { HistoryPoint } from '../api/types';

/** Columns as uPlot takes them; a null is a gap that is drawn as one. */
export interface Columns {
  times: number[];
  average: (number | null)[];
  least: (number | null)[];
  greatest: (number | null)[];
}

/** Samples this many usual distances apart have a gap between them. */
const gapFactor = 3;

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/**
 * The points as columns (times in seconds), with a break put in wherever samples are missing: where the points are further apart
 * than usual, and, for points that are buckets `step_ms` wide, where one is absent between them.
 */
export function columnsOf(points: HistoryPoint[], step_ms = 0): Columns {
  const distances = points.slice(1).map(([time], index) => time - (points[index]?.[0] ?? time));
  const usual_ms = median(distances);
  // Buckets as narrow as the device's interval have neighbours, and one that is missing is a gap.
  const gap_ms = step_ms > 0 && usual_ms <= step_ms ? step_ms * 1.5 : usual_ms * gapFactor;
  const columns: Columns = { times: [], average: [], least: [], greatest: [] };
  const push = (time: number, ...[average, least, greatest]: (number | null)[]) => {
    columns.times.push(time / 1000);
    columns.average.push(average ?? null);
    columns.least.push(least ?? null);
    columns.greatest.push(greatest ?? null);
  };
  points.forEach(([time, average, least, greatest], index) => {
    const previous = points[index - 1]?.[0];
    if (previous !== undefined && gap_ms > 0 && time - previous > gap_ms) push((previous + time) / 2, null, null, null);
    push(time, average, least, greatest);
  });
  return columns;
}

/** The last value that there is. */
export const latest = (points: HistoryPoint[]): number | null => points.findLast(([, average]) => average !== null)?.[1] ?? null;
