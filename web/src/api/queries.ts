import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useLive, useTopic } from '../live/context';
import { mergeIncidents } from '../live/reducer';
import { ApiError, change, get } from './client';
import type {
  BatteryForecast,
  Command, CommandRequest, Device, DeviceFacts, DevicePage, Explanation, Fleet, FleetSeries, History, Incident, JsonObject,
  PastFleet, Regions, RegionSeries, Shadow, Transition,
} from './types';

// One hook a resource. What the live stream carries is taken from it while it is open; the REST answer is the first
// picture, and the fallback (polled) while the stream is away.

export const devicePath = (id: string): string => `/api/v1/devices/${encodeURIComponent(id)}`;

const fallbackPoll_ms = 5000;

/** How often to ask again for what the stream does not carry; never while the picture is paused. */
function useRefetch(every_ms: number): number | false {
  return useLive((live) => live.pausedAt !== null) ? false : every_ms;
}

/** Asks only while the live stream is away. */
function useFallback(): number | false {
  const streaming = useLive((live) => live.link === 'open' || live.pausedAt !== null);
  return streaming ? false : fallbackPoll_ms;
}

/** Of two pictures of the same thing, the newer; a paused stream keeps its own. */
function newer<T extends { time: number }>(live: T | null, asked: T | undefined): T | undefined {
  if (!live) return asked;
  return asked && asked.time > live.time ? asked : live;
}

export function useFleet() {
  useTopic('fleet');
  const live = useLive((state) => state.fleet);
  const query = useQuery({
    queryKey: ['fleet'],
    queryFn: ({ signal }) => get<Fleet>('/api/v1/fleet', {}, signal),
    refetchInterval: useFallback(),
  });
  return { ...query, data: newer(live, query.data) };
}

/** The fleet at a time that has passed; null asks nothing. What was does not change. */
export function usePastFleet(at: number | null) {
  return useQuery({
    queryKey: ['fleet', 'at', at],
    queryFn: ({ signal }) => get<PastFleet>('/api/v1/fleet', { at }, signal),
    enabled: at !== null,
    staleTime: Infinity,
    gcTime: 60_000,
    placeholderData: keepPreviousData,
  });
}

export function useRegions() {
  useTopic('regions');
  const live = useLive((state) => state.regions);
  const query = useQuery({
    queryKey: ['regions'],
    queryFn: ({ signal }) => get<Regions>('/api/v1/regions', {}, signal),
    refetchInterval: useFallback(),
  });
  return { ...query, data: newer(live, query.data) };
}

export function useFleetSeries(minutes: number) {
  return useQuery({
    queryKey: ['fleet', 'series', minutes],
    queryFn: ({ signal }) => get<FleetSeries>('/api/v1/fleet/series', { minutes }, signal),
    refetchInterval: useRefetch(10_000),
    placeholderData: keepPreviousData,
  });
}

export function useRegionSeries(minutes: number) {
  return useQuery({
    queryKey: ['regions', 'series', minutes],
    queryFn: ({ signal }) => get<RegionSeries>('/api/v1/regions/series', { minutes }, signal),
    refetchInterval: useRefetch(15_000),
    placeholderData: keepPreviousData,
  });
}

/** Open and resolved incidents together: the pages divide them, so that one that resolves moves instead of vanishing. */
export function useIncidents() {
  useTopic('alerts');
  const live = useLive((state) => state.incidents);
  const query = useQuery({
    queryKey: ['alerts'],
    queryFn: ({ signal }) => get<{ alerts: Incident[] }>('/api/v1/alerts', { state: 'all', limit: 200 }, signal),
    refetchInterval: useRefetch(15_000),
  });
  const listed = query.data?.alerts;
  const data = useMemo(() => listed && mergeIncidents(listed, live), [listed, live]);
  return { ...query, data };
}

export function useIncident(id: string) {
  useTopic('alerts');
  const live = useLive((state) => state.incidents[id]);
  const query = useQuery({
    queryKey: ['alerts', id],
    queryFn: ({ signal }) => get<Incident>(`/api/v1/alerts/${encodeURIComponent(id)}`, {}, signal),
    refetchInterval: useRefetch(15_000),
  });
  return { ...query, data: live ?? query.data };
}

export interface DeviceFilter {
  state?: string | undefined;
  region?: string | undefined;
  overlay?: string | undefined;
  model?: string | undefined;
  q?: string | undefined;
}

const pageSize = 100;

export function useDevices(filter: DeviceFilter) {
  const every = useRefetch(5000);
  return useInfiniteQuery({
    queryKey: ['devices', filter],
    queryFn: ({ pageParam, signal }) =>
      get<DevicePage>('/api/v1/devices', { ...filter, limit: pageSize, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    // A list that was scrolled stands still: asking again for all of its pages would move rows under the reader.
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) <= 1 ? every : false),
  });
}

export function useDeviceSearch(q: string, limit: number) {
  return useQuery({
    queryKey: ['devices', 'search', q, limit],
    queryFn: ({ signal }) => get<DevicePage>('/api/v1/devices', { q, limit }, signal),
    enabled: q.length > 0,
    placeholderData: keepPreviousData,
  });
}

export function useDevice(id: string) {
  useTopic(`device:${id}`);
  const live = useLive((state) => state.devices[id]);
  const query = useQuery({
    queryKey: ['device', id],
    queryFn: ({ signal }) => get<Device>(devicePath(id), {}, signal),
    refetchInterval: useFallback(),
  });
  return { ...query, data: live ?? query.data };
}

/** Why the device is what it is; asked again whenever its state may have changed, and while it is looked at. */
export function useExplanation(id: string) {
  return useQuery({
    queryKey: ['device', id, 'explain'],
    queryFn: ({ signal }) => get<Explanation>(`${devicePath(id)}/explain`, {}, signal),
    refetchInterval: useRefetch(10_000),
    placeholderData: keepPreviousData,
  });
}

/** Moves by the hour: asked again now and then. */
export function useBatteryForecast(id: string) {
  return useQuery({
    queryKey: ['device', id, 'forecast'],
    queryFn: ({ signal }) => get<BatteryForecast>(`${devicePath(id)}/forecast`, {}, signal),
    refetchInterval: useRefetch(300_000),
  });
}

/** The change travels through the pipeline like any record; the stream, or the fallback, brings it back. */
export function useChangeFacts(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (facts: DeviceFacts) => change<{ id: string }>('PUT', devicePath(id), facts),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['device', id] }),
  });
}

/** A span of time that ends now, or did when the picture was paused. */
export interface Range {
  key: string;
  span_ms: number;
}

export function useHistory(id: string, range: Range, points = 500) {
  return useQuery({
    queryKey: ['device', id, 'history', range.key],
    queryFn: ({ signal }) => {
      const to = Date.now();
      return get<History>(`${devicePath(id)}/history`, { from: to - range.span_ms, to, points }, signal);
    },
    refetchInterval: useRefetch(range.span_ms <= 3_600_000 ? 10_000 : 60_000),
    placeholderData: keepPreviousData,
  });
}

export const transitionsMax = 500;

export interface Transitions {
  from: number;
  to: number;
  /** Newest first, at most transitionsMax. */
  transitions: Transition[];
  /** The last one before the range: what the device was when the range began. */
  before: Transition | null;
}

export function useTransitions(id: string, range: Range) {
  return useQuery({
    queryKey: ['device', id, 'transitions', range.key],
    queryFn: async ({ signal }): Promise<Transitions> => {
      const to = Date.now();
      const from = to - range.span_ms;
      const path = `${devicePath(id)}/transitions`;
      const [inside, before] = await Promise.all([
        get<{ transitions: Transition[] }>(path, { from, to, limit: transitionsMax }, signal),
        get<{ transitions: Transition[] }>(path, { to: from, limit: 1 }, signal),
      ]);
      return { from, to, transitions: inside.transitions, before: before.transitions[0] ?? null };
    },
    refetchInterval: useRefetch(15_000),
    placeholderData: keepPreviousData,
  });
}

/** A device without a shadow has none: that is an answer (null), not an error. */
export function useShadow(id: string) {
  return useQuery({
    queryKey: ['device', id, 'shadow'],
    queryFn: async ({ signal }) => {
      try {
        return await get<Shadow>(`${devicePath(id)}/shadow`, {}, signal);
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },
    refetchInterval: useRefetch(5000),
  });
}

export function useUpdateDesired(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (update: { desired: JsonObject; version: number | undefined }) =>
      change<Shadow>('PATCH', `${devicePath(id)}/shadow`, { state: { desired: update.desired }, version: update.version }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['device', id, 'shadow'] }),
  });
}

export const isFinished = (command: Command): boolean => !['QUEUED', 'SENT', 'IN_PROGRESS'].includes(command.status);

export function useCommands(id: string) {
  const paused = useLive((live) => live.pausedAt !== null);
  return useQuery({
    queryKey: ['device', id, 'commands'],
    queryFn: ({ signal }) => get<{ commands: Command[] }>(`${devicePath(id)}/commands`, { limit: 20 }, signal),
    // A command under way is followed closely, also while the picture is paused: someone is waiting for it.
    refetchInterval: (query) =>
      query.state.data?.commands.some((command) => !isFinished(command)) ? 1500 : paused ? false : 15_000,
  });
}

export function useSendCommand(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (request: CommandRequest) => change<Command>('POST', `${devicePath(id)}/commands`, request),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['device', id, 'commands'] }),
  });
}

export interface Readiness {
  ready: boolean;
  /** What /readyz says besides its status, as it says it. */
  detail: unknown;
}

export function useReadiness() {
  return useQuery({
    queryKey: ['readyz'],
    queryFn: async ({ signal }): Promise<Readiness> => {
      const response = await fetch(new URL('readyz', document.baseURI), { signal });
      const text = await response.text();
      let detail: unknown = text.trim();
      try {
        detail = JSON.parse(text);
      } catch {
        // plain text says it too
      }
      return { ready: response.ok, detail };
    },
    refetchInterval: useRefetch(5000),
  });
}
