import { Link } from '@tanstack/react-router';
import { memo } from 'react';
import { clockMs, dateTime } from '../format/time';
import { causeWord, regionName } from '../format/words';
import type { LiveChange } from '../live/reducer';
import { markWord, Shape, type Mark } from './StateMark';

export const markOf = (change: Pick<LiveChange, 'state' | 'overlays'>): Mark =>
  change.overlays.includes('flapping') ? 'flapping' : change.state;

/** One status change in the short list of the overview. */
export const ChangeRow = memo(function ChangeRow({ change }: { change: LiveChange }) {
  const mark = markOf(change);
  return (
    <li className="grid h-6.5 grid-cols-[84px_14px_minmax(0,1.4fr)_minmax(0,1fr)_minmax(0,72px)] items-center gap-1.5 text-small">
      <time className="mono text-fg3" title={dateTime(change.time)}>
        {clockMs(change.time)}
      </time>
      <span className="flex" title={markWord[mark]}>
        <Shape of={mark} size={8} />
        <span className="sr-only">{markWord[mark]}</span>
      </span>
      <Link to="/devices/$id" params={{ id: change.id }} className="link mono truncate">
        {change.id}
      </Link>
      <span className="truncate text-right text-fg2">{causeWord(change.cause)}</span>
      <span className="truncate text-right text-fg3" title={change.region}>
        {regionName(change.region)}
      </span>
    </li>
  );
});
