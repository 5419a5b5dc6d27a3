import { ago, dateTime } from '../format/time';
import { useNow } from './now';

/** "3 s ago", moving; the exact time is its title. */
export function Ago({ time }: { time: number }) {
  return (
    <time dateTime={new Date(time).toISOString()} title={dateTime(time)} className="num">
      {ago(time, useNow())}
    </time>
  );
}
