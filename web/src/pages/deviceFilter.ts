import type { DeviceFilter } from '../api/queries';
import { overlays, states } from '../api/types';

// The list's filter is the address (#/devices?state=offline&region=in/karnataka): it can be linked, and Back undoes it.

const word = (value: unknown): string | undefined => (typeof value === 'string' && value.trim() ? value.trim() : undefined);

const oneOf = (known: readonly string[], value: unknown): string | undefined =>
  typeof value === 'string' && known.includes(value) ? value : undefined;

/** Keeps what the API understands; an address that was typed wrong shows all devices rather than an error. */
export function parseDeviceFilter(search: Record<string, unknown>): DeviceFilter {
  const filter: DeviceFilter = {
    state: oneOf(states, search.state),
    overlay: oneOf(overlays, search.overlay),
    region: word(search.region),
    model: word(search.model),
    q: word(search.q),
  };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

/** The filter with one criterion changed; choosing what is chosen takes it off. */
export function toggled(filter: DeviceFilter, name: keyof DeviceFilter, value: string | undefined): DeviceFilter {
  return parseDeviceFilter({ ...filter, [name]: filter[name] === value ? undefined : value });
}

export const isFiltered = (filter: DeviceFilter): boolean => Object.keys(filter).length > 0;
