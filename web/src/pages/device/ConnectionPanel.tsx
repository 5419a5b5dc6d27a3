import { useMemo } from 'react';
import { transitionsMax, type Transitions } from '../../api/queries';
import { timelineOf } from '../../charts/spans';
import { Timeline } from '../../charts/Timeline';
import { Panel } from '../../components/Panel';
import { Segmented } from '../../components/Segmented';
import { Loaded } from '../../components/States';
import { percent } from '../../format/number';
import { duration } from '../../format/time';
import { plural } from '../../format/words';
import { ranges, type RangeKey } from './ranges';

const keys = [
  { text: 'Online', style: { background: 'var(--band)' } },
  { text: 'Offline', style: { background: 'var(--bad-fill)' } },
  { text: 'Unknown', style: { background: 'var(--unknown-fill)' } },
  { text: 'Not known', style: { background: 'var(--raise)' } },
  { text: 'Judged flapping', style: { background: 'repeating-linear-gradient(135deg, var(--warn-fill) 0 1.5px, var(--warn-soft) 1.5px 4px)' } },
];

interface Props {
  query: { data: Transitions | undefined; error: unknown; refetch: () => unknown };
  range: RangeKey;
  onRange: (range: RangeKey) => void;
}

export function ConnectionPanel({ query, range, onRange }: Props) {
  const { data } = query;
  const times = useMemo(() => data && timelineOf(data.transitions, data.before, data.from, data.to), [data]);
  const caption =
    data && times
      ? [
          `last ${duration(data.to - data.from)}`,
          plural(times.disconnects.length, 'disconnect'),
          times.availability !== null && `${percent(times.availability)} available`,
          data.transitions.length >= transitionsMax && `newest ${transitionsMax} changes only`,
        ]
          .filter(Boolean)
          .join(' · ')
      : undefined;
  return (
    <Panel title="Connection" caption={caption} actions={<Segmented label="Range" value={range} options={ranges} onChange={onRange} />}>
      <Loaded query={{ ...query, data: data && times && { ...data, times } }} what="The connection history could not be read" rows={3}>
        {(shown) => (
          <div className="fades px-3.5 pt-3 pb-2.5">
            <Timeline times={shown.times} from={shown.from} to={shown.to} />
            <ul className="cap mt-1.5 flex flex-wrap gap-x-4">
              {keys.map((key) => (
                <li key={key.text} className="flex items-center gap-1.5">
                  <span className="h-2 w-3 rounded-[2px] outline -outline-offset-1 outline-line" style={key.style} aria-hidden="true" />
                  {key.text}
                </li>
              ))}
            </ul>
          </div>
        )}
      </Loaded>
    </Panel>
  );
}
