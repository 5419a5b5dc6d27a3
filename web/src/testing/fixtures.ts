import type { Change, Command, Counts, Device, Explanation, Fleet, Incident, PastFleet, Region, Shadow, Transition } from '../api/types';

// One of each of the API's shapes, with values that tests look for.

export const time = Date.UTC(2026, 2, 14, 9, 49, 12);

export const counts = (part: Partial<Counts> = {}): Counts => ({
  total: 1000, online: 960, offline: 30, unknown: 4, never_seen: 6, flapping: 7, sleeping: 0, maintenance: 0, ...part,
});

export const fleet = (part: Partial<Fleet> = {}): Fleet => ({
  time,
  counts: counts(),
  regions: 3,
  gateways: [{ name: 'gw-1', sessions: 960, since: time - 3_600_000 }],
  processes: [],
  rates: { records_per_s: 33.4, bytes_per_s: 17_800, connects_per_min: 21, disconnects_per_min: 18 },
  detection_ms: { p50: 12, p99: 184 },
  lag_ms: 240,
  stale: false,
  incidents_open: 1,
  version: '0.1.0',
  started: time - 7_200_000,
  ...part,
});

export const pastFleet = (part: Partial<PastFleet> = {}): PastFleet => ({
  time: time - 3_600_000,
  history_from: time - 86_400_000,
  counts: counts({ online: 900, offline: 90 }),
  regions: [{ region: 'in/karnataka', counts: counts({ total: 100, online: 40, offline: 60 }), offline_share: 0.6 }],
  ...part,
});

export const region = (path: string, part: Partial<Region> = {}): Region => ({
  region: path,
  name: path.slice(path.lastIndexOf('/') + 1),
  parent: path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '',
  depth: path.split('/').length,
  leaf: true,
  lat: null,
  lon: null,
  counts: counts({ total: 100, online: 95, offline: 5, unknown: 0, never_seen: 0, flapping: 0 }),
  offline_share: 0.05,
  incident: null,
  ...part,
});

export const device = (part: Partial<Device> = {}): Device => ({
  id: 'ka-0417-88240c',
  state: 'online',
  cause: 'connect',
  since: time - 60_000,
  last_seen: time - 3000,
  overlays: ['flapping'],
  region: 'in/karnataka',
  model: 'ax-2',
  firmware: '2.4.1',
  gateway: 'gw-1',
  metrics: { battery: 66 },
  epoch: 41,
  detected_in_ms: 184,
  lat: 14.7,
  lon: 76.1,
  keep_alive_s: 30,
  client: { address: '127.0.0.7:4242', protocol: '3.1.1' },
  first_seen: time - 86_400_000,
  telemetry_time: time - 3000,
  disconnects: 11,
  flap_penalty: 3120,
  shadow_version: 42,
  ...part,
});

export const transition = (at: number, state: Transition['state'], part: Partial<Transition> = {}): Transition => ({
  time: at, state, cause: state === 'online' ? 'connect' : 'will', epoch: 1, gateway: 'gw-1', region: '', overlays: [], detected_in_ms: 120, session_s: null, ...part,
});

export const explanation = (part: Partial<Explanation> = {}): Explanation => ({
  id: 'ka-0417-88240c',
  time,
  state: 'online',
  cause: 'connect',
  since: time - 60_000,
  detected_in_ms: 0,
  verdict: 'Online since 12:00:00 UTC (1 min 0 s ago), because it connected.',
  evidence: [
    { kind: 'last_packet', time: time - 4000, text: 'The last sign of life came 4 s ago: a message.', fields: { of: 'message' } },
    { kind: 'damping', time: null, text: 'It is damped as flapping.', fields: { flapping: true, penalty: 3120 } },
    { kind: 'transition', time: time - 60_000, text: 'It went online.', fields: { state: 'online' } },
  ],
  ...part,
});

export const shadow = (part: Partial<Shadow> = {}): Shadow => ({
  state: { reported: { interval: 30, fw: '2.4.1' }, desired: { interval: 60 }, delta: { interval: 60 } },
  version: 42,
  timestamp: Math.floor(time / 1000) - 52,
  ...part,
});

export const command = (part: Partial<Command> = {}): Command => ({
  execution_id: 'e1', device: 'ka-0417-88240c', name: 'reboot', parameters: {}, status: 'SUCCEEDED', created: time - 20_000, expires: time + 280_000,
  created_by: 'admin',
  steps: [
    { status: 'QUEUED', time: time - 20_000 },
    { status: 'SENT', time: time - 19_000 },
    { status: 'SUCCEEDED', time: time - 6000 },
  ],
  result: null, reason: null, ...part,
});

export const incident = (part: Partial<Incident> = {}): Incident => ({
  id: 'inc-7',
  rule: 'region_offline_share',
  severity: 'critical',
  state: 'open',
  region: 'in/karnataka',
  title: 'Karnataka mass disconnect',
  summary: '14.3% of the region is offline.',
  cause: 'gateway_loss',
  confidence: 0.87,
  scope: [{ attribute: 'gateway', value: 'gw-2' }],
  opened: time - 720_000,
  threshold_crossed: time - 730_000,
  resolved: null,
  recovery_expected: null,
  members: 18,
  members_peak: 20,
  population: 113,
  share: 0.143,
  share_peak: 0.162,
  timeline: [{ time: time - 720_000, text: 'Opened: 11.2% for 10 s' }],
  shared: [{ attribute: 'gateway', value: 'gw-2', share: 0.88, cohort_share: 0.31 }],
  blast: [{ time: time - 720_000, members: 12 }, { time: time - 600_000, members: 20 }, { time, members: 18 }],
  devices: [],
  ...part,
});

export const change = (id: string, part: Partial<Change> = {}): Change => ({
  time, id, state: 'offline', cause: 'will', region: 'in/karnataka', gateway: 'gw-1', overlays: [], previous: 'online', detected_in_ms: 110, ...part,
});
