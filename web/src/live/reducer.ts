import type { Change, Device, Fleet, Frame, Incident, Regions } from '../api/types';

// What the live stream has told this tab. Pure: frames and link events in, the next state out; no clock, no socket.

/** The newest changes that are kept; the list on screen never grows past it. */
export const changesMax = 1000;
/** Incidents heard of since the page was opened; the oldest are forgotten first (lists ask the API for all of them). */
export const incidentsMax = 500;

/**
 * idle: no token or not started; connecting: the first attempt is under way; open: frames come;
 * waiting: lost, the next attempt is at retryAt.
 */
export type Link = 'idle' | 'connecting' | 'open' | 'waiting';

/** A change with the place in the stream that makes it unique on screen. */
export type LiveChange = Change & { sequence: number };

export interface LiveState {
  link: Link;
  /** When the link was last lost; null while it is open or has never been. */
  lostAt: number | null;
  retryAt: number | null;
  attempts: number;
  lastFrameAt: number | null;
  pausedAt: number | null;
  /** Frames that were left out of the picture since it was paused. */
  held: number;
  serverVersion: string | null;
  error: string | null;
  fleet: Fleet | null;
  regions: Regions | null;
  changes: LiveChange[];
  changeRate: number;
  sampled: number;
  incidents: Record<string, Incident>;
  devices: Record<string, Device>;
}

export type LiveAction =
  | { type: 'connect' }
  | { type: 'opened'; at: number }
  | { type: 'lost'; at: number; retryAt: number }
  | { type: 'stop' }
  | { type: 'frame'; frame: Frame; at: number }
  | { type: 'pause'; at: number }
  | { type: 'resume' }
  | { type: 'forget_device'; id: string };

export const initialLive: LiveState = {
  link: 'idle',
  lostAt: null,
  retryAt: null,
  attempts: 0,
  lastFrameAt: null,
  pausedAt: null,
  held: 0,
  serverVersion: null,
  error: null,
  fleet: null,
  regions: null,
  changes: [],
  changeRate: 0,
  sampled: 1,
  incidents: {},
  devices: {},
};

export function reduce(state: LiveState, action: LiveAction): LiveState {
  switch (action.type) {
    case 'connect':
      return { ...state, link: state.lostAt === null ? 'connecting' : 'waiting', retryAt: null };
    case 'opened':
      return { ...state, link: 'open', lostAt: null, retryAt: null, attempts: 0, lastFrameAt: action.at, error: null };
    case 'lost':
      return {
        ...state,
        link: 'waiting',
        lostAt: state.lostAt ?? state.lastFrameAt ?? action.at,
        retryAt: action.retryAt,
        attempts: state.attempts + 1,
      };
    case 'stop':
      return initialLive;
    case 'pause':
      return { ...state, pausedAt: action.at, held: 0 };
    case 'resume':
      return { ...state, pausedAt: null, held: 0 };
    case 'forget_device': {
      const { [action.id]: _, ...devices } = state.devices;
      return { ...state, devices };
    }
    case 'frame':
      return receive({ ...state, lastFrameAt: action.at }, action.frame);
  }
}

function receive(state: LiveState, frame: Frame): LiveState {
  if (frame.type === 'hello') return { ...state, serverVersion: frame.version };
  if (frame.type === 'error') return { ...state, error: frame.detail };
  if (state.pausedAt !== null) return { ...state, held: state.held + 1 };
  switch (frame.type) {
    case 'fleet':
      return { ...state, fleet: frame.data };
    case 'regions':
      return { ...state, regions: frame.data };
    case 'changes':
      return { ...state, ...prepend(state.changes, frame.data), changeRate: frame.rate, sampled: frame.sampled };
    case 'alert':
      return { ...state, incidents: withIncident(state.incidents, frame.data) };
    case 'device':
      return { ...state, devices: { ...state.devices, [frame.id]: frame.data } };
    default:
      return state; // a newer server may say more than this page knows
  }
}

/** Newest first; a frame lists its changes in the order in which they happened. */
function prepend(known: LiveChange[], arrived: Change[]): { changes: LiveChange[] } {
  let sequence = known[0]?.sequence ?? 0;
  const fresh = arrived.map((change) => ({ ...change, sequence: ++sequence })).reverse();
  fresh.sort((a, b) => b.time - a.time || b.sequence - a.sequence);
  return { changes: [...fresh, ...known].slice(0, changesMax) };
}

function withIncident(known: Record<string, Incident>, incident: Incident): Record<string, Incident> {
  const { [incident.id]: _, ...others } = known;
  const ids = Object.keys(others);
  for (const id of ids.slice(0, Math.max(0, ids.length + 1 - incidentsMax))) delete others[id];
  return { ...others, [incident.id]: incident };
}

/** The API's list with what the stream has said since laid over it: open ones first, then the newest. */
export function mergeIncidents(listed: Incident[], live: Record<string, Incident>): Incident[] {
  const merged = new Map(listed.map((incident) => [incident.id, incident]));
  for (const incident of Object.values(live)) merged.set(incident.id, incident);
  return [...merged.values()].sort(
    (a, b) => Number(b.state === 'open') - Number(a.state === 'open') || b.opened - a.opened,
  );
}
