/** First wait and longest wait between two attempts to reach the server. */
export const backoffFirst_ms = 500;
export const backoffMax_ms = 30_000;

/**
 * Exponential back-off with "equal jitter": half of the time is fixed, half is chance, so that the dashboards of a
 * whole office do not come back in the same instant. `chance` is in [0, 1).
 */
export function backoff_ms(attempt: number, chance: number): number {
  const ceiling = Math.min(backoffMax_ms, backoffFirst_ms * 2 ** Math.min(attempt, 16));
  return Math.round(ceiling / 2 + (ceiling / 2) * chance);
}
