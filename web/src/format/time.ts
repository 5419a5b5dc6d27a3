import type { Quantity } from './number';

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** 09:49:12, in the reader's time zone. */
export function clock(time: number): string {
  const date = new Date(time);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** 09:49:12.418 */
export const clockMs = (time: number): string => `${clock(time)}.${pad(new Date(time).getMilliseconds(), 3)}`;

/** 09:49 */
export const clockMinutes = (time: number): string => clock(time).slice(0, 5);

/** 14 Mar 2026 */
export function day(time: number): string {
  const date = new Date(time);
  return `${date.getDate()} ${months[date.getMonth()]} ${date.getFullYear()}`;
}

/** The time alone when it is of today, with its day when it is not. */
export function moment(time: number, now: number): string {
  return day(time) === day(now) ? clock(time) : `${day(time).replace(/ \d{4}$/, '')} ${clockMinutes(time)}`;
}

/** 14 Mar 2026 09:49:12: the whole of it, for titles. */
export const dateTime = (time: number): string => `${day(time)} ${clock(time)}`;

/** 41 s, 12 min, 2 h 5 min, 3 d 4 h. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 && days < 30 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** A measured delay: 0.4 ms, 850 ms, 1.8 s, 2 min. */
export function delay(ms: number): Quantity {
  if (ms < 10) return [ms.toFixed(1), 'ms'];
  if (ms < 1000) return [ms.toFixed(0), 'ms'];
  if (ms < 60_000) return [(ms / 1000).toFixed(1), 's'];
  const [value = '', ...unit] = duration(ms).split(' ');
  return [value, unit.join(' ')];
}

export const delayText = (ms: number): string => delay(ms).join(' ');

/** "3 s ago"; what the clocks' difference would put in the future is now. */
export const ago = (time: number, now: number): string => (now - time < 1000 ? 'just now' : `${duration(now - time)} ago`);
