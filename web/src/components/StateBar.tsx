import type { Counts, State } from '../api/types';
import { states } from '../api/types';
import { integer } from '../format/number';
import { stateWord } from '../format/words';

const fill: Record<State, string> = {
  online: 'bg-ok-fill',
  offline: 'bg-bad-fill',
  unknown: 'bg-unknown-fill',
  never_seen: 'border border-unknown-fill',
};

/** The four states to scale. A state that has any device keeps 4 px, so that it can be seen at all. */
export function StateBar({ counts, height = 10 }: { counts: Counts; height?: number }) {
  const present = states.filter((state) => counts[state] > 0);
  const words = present.map((state) => `${integer(counts[state])} ${stateWord[state].toLowerCase()}`).join(', ');
  return (
    <div className="flex gap-0.5 overflow-hidden" style={{ height }} role="img" aria-label={words || 'no devices'}>
      {present.map((state) => (
        <div
          key={state}
          className={`min-w-1 rounded-[3px] first:rounded-l-full last:rounded-r-full ${fill[state]}`}
          style={{ flex: `${counts[state]} 0 0px` }}
        />
      ))}
      {present.length === 0 && <div className="flex-1 rounded-full bg-raise" />}
    </div>
  );
}
