import { ago, dateTime, duration } from '../format/time';
import { useNow } from './now';

/** "3 s ago", moving; the exact time is its title. */
export function Ago({ time }: { time: number }) {
  return (
    <time dateTime={new Date(time).toISOString()} title={dateTime(time)} className="num">
      {ago(time, useNow())}
    </time>
  );
}

/** "3 s", moving: where the column's head says of what. */
export function Age({ time }: { time: number }) {
  return (
    <time dateTime={new Date(time).toISOString()} title={dateTime(time)} className="num">
      {duration(useNow() - time)}
    </time>
  );
}
