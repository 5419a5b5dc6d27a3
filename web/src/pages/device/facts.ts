import type { Device, DeviceFacts } from '../../api/types';

/** The registry's facts as they stand in the form's fields. */
export type FactsText = Record<'region' | 'model' | 'firmware' | 'lat' | 'lon', string>;

export const factsText = (device: Device): FactsText => ({
  region: device.region,
  model: device.model,
  firmware: device.firmware,
  lat: device.lat?.toString() ?? '',
  lon: device.lon?.toString() ?? '',
});

const within = (text: string, limit: number): boolean => text.trim() !== '' && Math.abs(Number(text)) <= limit;

/** A place is both coordinates or none. */
export function coordinateProblem({ lat, lon }: FactsText): string | null {
  if (lat.trim() === '' && lon.trim() === '') return null;
  if (!within(lat, 90)) return 'The latitude must be a number from −90 to 90';
  if (!within(lon, 180)) return 'The longitude must be a number from −180 to 180';
  return null;
}

/** Only what differs. A place that was emptied is left as it is: the API has no way to take it away. */
export function changedFacts(before: FactsText, after: FactsText): DeviceFacts {
  const facts: DeviceFacts = {};
  for (const name of ['region', 'model', 'firmware'] as const) {
    if (after[name].trim() !== before[name]) facts[name] = after[name].trim();
  }
  const moved = after.lat.trim() !== before.lat || after.lon.trim() !== before.lon;
  if (moved && after.lat.trim() !== '') {
    facts.lat = Number(after.lat);
    facts.lon = Number(after.lon);
  }
  return facts;
}
