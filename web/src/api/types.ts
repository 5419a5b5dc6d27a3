// The shapes of Muster's API v1, as the server documents them in /api/v1/openapi.json.
// All times are epoch milliseconds unless a name says otherwise.

export const states = ['online', 'offline', 'unknown', 'never_seen'] as const;
export type State = (typeof states)[number];

export const countedOverlays = ['flapping', 'sleeping', 'maintenance'] as const;
export const overlays = [...countedOverlays, 'contested'] as const;
export type Overlay = (typeof overlays)[number];

/** Why a device is in its state; one word of the server's list. */
export type Cause = string;

/** total = the sum of the four states; overlays count across the states. */
export type Counts = Record<'total' | State | (typeof countedOverlays)[number], number>;

export interface Gateway {
  name: string;
  sessions: number;
  since: number;
}

/** One process of a cluster. */
export interface Process {
  role: 'gateway' | 'processor' | 'shadow' | 'alerts' | 'api';
  name: string;
  since: number;
  /** Of a processor: durable records not yet processed. */
  lag: number;
  /** Of a processor: devices of its partitions. */
  devices: number;
}

export interface Fleet {
  time: number;
  counts: Counts;
  regions: number;
  gateways: Gateway[];
  /** Of a cluster; empty where one process is everything. */
  processes: Process[];
  rates: { records_per_s: number; bytes_per_s: number; connects_per_min: number; disconnects_per_min: number };
  /** From a record's arrival at the gateway until the API shows it, over the last minute; null: nothing to measure. */
  detection_ms: { p50: number; p99: number } | null;
  lag_ms: number;
  stale: boolean;
  incidents_open: number;
  version: string;
  started: number;
}

/** The fleet as it was. */
export interface PastFleet {
  time: number;
  /** The earliest time that can be asked for. */
  history_from: number | null;
  counts: Counts;
  regions: { region: string; counts: Counts; offline_share: number }[];
}

export interface FleetPoint {
  t: number;
  online: number;
  offline: number;
  unknown: number;
  records_per_s: number;
  connects_per_min: number;
  incidents_open: number;
  detection_p99_ms: number | null;
}

export interface FleetSeries {
  step_s: number;
  series: FleetPoint[];
}

export interface Region {
  region: string;
  name: string;
  parent: string;
  depth: number;
  leaf: boolean;
  lat: number | null;
  lon: number | null;
  counts: Counts;
  offline_share: number;
  incident: string | null;
}

export interface Regions {
  time: number;
  regions: Region[];
}

export interface RegionSeries {
  step_s: number;
  times: number[];
  regions: { region: string; offline_share: (number | null)[] }[];
}

export interface DeviceSummary {
  id: string;
  state: State;
  cause: Cause;
  since: number;
  last_seen: number | null;
  overlays: Overlay[];
  region: string;
  model: string;
  firmware: string;
  gateway: string;
  metrics: Record<string, number>;
}

export interface Device extends DeviceSummary {
  carrier?: string;
  epoch: number;
  detected_in_ms: number;
  lat: number | null;
  lon: number | null;
  keep_alive_s: number;
  client: { address: string; protocol: string } | null;
  first_seen: number | null;
  telemetry_time: number | null;
  disconnects: number;
  flap_penalty: number;
  shadow_version: number | null;
}

/** What an operator may change of a device; any subset. */
export interface DeviceFacts {
  region?: string;
  model?: string;
  firmware?: string;
  lat?: number;
  lon?: number;
}

export interface DevicePage {
  devices: DeviceSummary[];
  next_cursor: string | null;
  matched: number | null;
}

/** A null average is a gap. */
export type HistoryPoint = [
  time: number, average: number | null, least: number | null, greatest: number | null, samples?: number, completeness?: number,
];

export interface History {
  from: number;
  to: number;
  resolution: string;
  /** Width of a point's bucket; 0: every point is a sample. */
  step_ms: number;
  /** Left out because they cannot be read: the series have holes that are not the device's. */
  damaged_chunks: number;
  series: { metric: string; unit: string; completeness: number; points: HistoryPoint[] }[];
}

export interface Transition {
  time: number;
  state: State;
  cause: Cause;
  epoch: number;
  gateway: string;
  region: string;
  overlays: Overlay[];
  detected_in_ms: number | null;
  session_s: number | null;
}

/** One thing that a verdict rests on: a sentence, and the same for a program. */
export interface Evidence {
  kind: string;
  time: number | null;
  text: string;
  fields: { [key: string]: Json };
}

export interface Explanation {
  id: string;
  time: number;
  state: State;
  cause: Cause;
  since: number;
  detected_in_ms: number;
  verdict: string;
  evidence: Evidence[];
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface Shadow {
  state: { desired?: JsonObject; reported?: JsonObject; delta?: JsonObject };
  metadata?: JsonObject;
  version: number;
  /** Epoch seconds, as in AWS's documents. */
  timestamp?: number;
}

export const commandStatuses = [
  'QUEUED', 'SENT', 'IN_PROGRESS', 'SUCCEEDED', 'FAILED', 'REJECTED', 'TIMED_OUT', 'EXPIRED',
] as const;
export type CommandStatus = (typeof commandStatuses)[number];

export interface Command {
  execution_id: string;
  device: string;
  name: string;
  parameters: JsonObject;
  status: CommandStatus;
  created: number;
  expires: number;
  created_by: string;
  steps: { status: CommandStatus; time: number }[];
  result: Json;
  reason: { code: string; description: string } | null;
}

export interface CommandRequest {
  name: string;
  parameters: JsonObject;
  expires_in_s: number;
  timeout_s: number;
  idempotency_key: string;
}

/** What an incident comes from. */
export type CauseKind =
  | 'unexplained' | 'gateway_loss' | 'region_outage' | 'carrier_outage'
  | 'device_fault' | 'credential_failure' | 'planned_work' | 'pipeline_lag';

export interface Incident {
  id: string;
  rule: string;
  /** info (planned work) is shown and never notified. */
  severity: 'critical' | 'warning' | 'info';
  state: 'open' | 'resolved';
  region: string;
  title: string;
  summary: string;
  cause: CauseKind;
  /** 0..1 that the cause is right. */
  confidence: number;
  /** By what the members are told from all others; a region stands for all below it. */
  scope: { attribute: string; value: string }[];
  opened: number;
  threshold_crossed: number;
  resolved: number | null;
  /** By the pace at which members come back; null while they do not. */
  recovery_expected: number | null;
  members: number;
  members_peak: number;
  population: number;
  share: number;
  share_peak: number;
  timeline: { time: number; text: string }[];
  /** share: among the members; cohort_share: among all devices, 0 when it is not known. */
  shared: { attribute: string; value: string; share: number; cohort_share: number }[];
  /** Members over time. */
  blast: { time: number; members: number }[];
  /** Of a rule on values: the first members, with what was seen of each. */
  devices: { device: string; text: string }[];
}

/** When a battery will be empty; null: never at this pace, or not known. */
export interface BatteryForecast {
  metric: string;
  state: 'draining' | 'steady' | 'charging' | 'unknown';
  time: number | null;
  value: number | null;
  per_day: number | null;
  days: number | null;
  days_low: number | null;
  days_high: number | null;
}

/** One status transition, as the live stream tells it. */
export interface Change {
  time: number;
  id: string;
  state: State;
  cause: Cause;
  region: string;
  gateway: string;
  overlays: Overlay[];
  previous: State;
  detected_in_ms: number | null;
}

export type Topic = 'fleet' | 'regions' | 'changes' | 'alerts' | `device:${string}`;

export type Frame =
  | { type: 'hello'; version: string; time: number }
  | { type: 'fleet'; data: Fleet }
  | { type: 'regions'; data: Regions }
  | { type: 'changes'; data: Change[]; sampled: number; rate: number }
  | { type: 'alert'; data: Incident }
  | { type: 'device'; id: string; data: Device }
  | { type: 'error'; detail: string };

/** RFC 9457 problem details. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  code?: string;
}
