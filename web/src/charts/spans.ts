import type { State, Transition } from '../api/types';

// A device's transitions as spans of time on a line.

export interface Span {
  state: State | null; // null: not known, older than what was asked or kept
  from: number;
  to: number;
}

export interface Timeline {
  spans: Span[];
  flapping: { from: number; to: number }[];
  disconnects: number[];
  /** Time online of the time whose state is known to be online or offline; null when there is none. */
  availability: number | null;
}

const flaps = (transition: Transition | null | undefined): boolean => transition?.overlays.includes('flapping') ?? false;

function join(spans: Span[], span: Span) {
  const last = spans.at(-1);
  if (span.to <= span.from) return;
  if (last && last.state === span.state) last.to = span.to;
  else spans.push(span);
}

function joinBand(bands: { from: number; to: number }[], from: number, to: number) {
  const last = bands.at(-1);
  if (last && last.to >= from) last.to = to;
  else bands.push({ from, to });
}

/** `newestFirst` lies inside [from, to]; `before` is what held when the range began. */
export function timelineOf(newestFirst: Transition[], before: Transition | null, from: number, to: number): Timeline {
  const oldestFirst = [...newestFirst].reverse();
  const timeline: Timeline = { spans: [], flapping: [], disconnects: [], availability: null };
  let current: Transition | null = before;
  let since = from;
  const close = (until: number) => {
    join(timeline.spans, { state: current?.state ?? null, from: since, to: until });
    if (flaps(current) && until > since) joinBand(timeline.flapping, since, until);
  };
  for (const transition of oldestFirst) {
    const at = Math.min(to, Math.max(from, transition.time));
    close(at);
    if (transition.state === 'offline' && current?.state !== 'offline') timeline.disconnects.push(transition.time);
    current = transition;
    since = at;
  }
  close(to);
  timeline.availability = availabilityOf(timeline.spans);
  return timeline;
}

function availabilityOf(spans: Span[]): number | null {
  const time = (state: State) => spans.filter((span) => span.state === state).reduce((sum, span) => sum + span.to - span.from, 0);
  const online = time('online');
  const known = online + time('offline');
  return known > 0 ? online / known : null;
}

/** How many disconnects fall into each of `bins` equal parts of the range. */
export function histogram(times: number[], from: number, to: number, bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const time of times) {
    const bin = Math.min(bins - 1, Math.max(0, Math.floor(((time - from) / (to - from)) * bins)));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

/** Round times for the marks of an axis, at most `most` of them. */
export function ticks(from: number, to: number, most: number): number[] {
  const minute = 60_000;
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880].map((minutes) => minutes * minute);
  const step = steps.find((candidate) => (to - from) / candidate <= most) ?? 10_080 * minute;
  const shift = new Date(from).getTimezoneOffset() * minute; // round in the reader's time zone
  const first = Math.ceil((from - shift) / step) * step + shift;
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, index) => first + index * step);
}
