import type { CauseKind, CommandStatus, Overlay, State } from '../api/types';

export const stateWord: Record<State, string> = {
  online: 'Online',
  offline: 'Offline',
  unknown: 'Unknown',
  never_seen: 'Never seen',
};

export const overlayWord: Record<Overlay, string> = {
  flapping: 'Flapping',
  sleeping: 'Sleeping',
  maintenance: 'Maintenance',
  contested: 'Contested id',
};

const causeWords: Record<string, string> = {
  none: '—',
  connect: 'connect',
  heartbeat: 'heartbeat',
  will: 'last will',
  client_disconnect: 'clean disconnect',
  connection_lost: 'connection lost',
  keepalive_timeout: 'keep-alive timeout',
  heartbeat_timeout: 'heartbeat timeout',
  duplicate_client_id: 'taken over by a new session',
  auth_error: 'authentication failed',
  protocol_error: 'protocol error',
  throttled: 'throttled',
  server_shutdown: 'gateway shut down',
  gateway_lost: 'gateway lost',
  sleep_announced: 'sleep announced',
  admin: 'administrator',
};

export const causeWord = (cause: string): string => causeWords[cause] ?? (cause ? cause.replaceAll('_', ' ') : '—');

export const causeKindWord: Record<CauseKind, string> = {
  unexplained: 'No common cause',
  gateway_loss: 'Gateway lost',
  region_outage: 'Region outage',
  carrier_outage: 'Carrier outage',
  device_fault: 'Device fault',
  credential_failure: 'Credentials refused',
  planned_work: 'Planned work',
  pipeline_lag: 'Pipeline stalled',
};

export const commandWord: Record<CommandStatus, string> = {
  QUEUED: 'Queued',
  SENT: 'Sent',
  IN_PROGRESS: 'Running',
  SUCCEEDED: 'Succeeded',
  FAILED: 'Failed',
  REJECTED: 'Rejected',
  TIMED_OUT: 'Timed out',
  EXPIRED: 'Expired',
};

/** One segment of a region path as a person writes it: "karnataka" → "Karnataka", "in" → "IN", "ka-04" → "KA-04". */
export function regionSegment(segment: string): string {
  if (segment.length <= 2 || /\d/.test(segment)) return segment.toUpperCase();
  return segment.replace(/(^|[-_ ])(\p{L})/gu, (_, gap: string, letter: string) => (gap ? ' ' : '') + letter.toUpperCase());
}

/** The last segment: "in/karnataka" → "Karnataka". */
export function regionName(path: string): string {
  if (!path) return 'No region';
  return regionSegment(path.slice(path.lastIndexOf('/') + 1));
}

/** The whole path, the widest last: "in/karnataka/ka-04" → "KA-04, Karnataka, IN". */
export const regionPath = (path: string): string =>
  path ? path.split('/').map(regionSegment).reverse().join(', ') : 'No region';

const metricNames: Record<string, string> = { cpu: 'CPU', rssi: 'Signal', mem: 'Memory', temp: 'Temperature' };

/** "battery_voltage" → "Battery voltage". */
export function metricName(metric: string): string {
  const known = metricNames[metric];
  if (known) return known;
  const words = metric.replaceAll(/[_.]/g, ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const plural = (count: number, word: string, words = `${word}s`): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? word : words}`;
