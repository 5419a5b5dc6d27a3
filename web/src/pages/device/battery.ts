import type { BatteryForecast } from '../../api/types';

function daysWord(days: number): string {
  return days < 10 ? days.toFixed(1) : String(Math.round(days));
}

/** "empty in 12 days (9 to 15)"; null when there is nothing to tell. */
export function emptyIn(forecast: BatteryForecast | undefined): string | null {
  if (!forecast) return null;
  if (forecast.state === 'charging') return 'charging';
  if (forecast.state !== 'draining' || forecast.days === null) return null;
  const { days, days_low, days_high } = forecast;
  const range = days_low === null ? '' : days_high === null ? ` (${daysWord(days_low)} or more)` : ` (${daysWord(days_low)} to ${daysWord(days_high)})`;
  return `empty in ${daysWord(days)} days${range}`;
}
