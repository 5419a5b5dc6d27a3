import { Link } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState } from 'react';
import type { State } from '../api/types';
import { states } from '../api/types';
import { markOf } from '../components/ChangeRow';
import { Panel } from '../components/Panel';
import { Segmented } from '../components/Segmented';
import { StateText } from '../components/StateMark';
import { Empty } from '../components/States';
import { clockMs, dateTime, delayText } from '../format/time';
import { causeWord, regionPath, stateWord } from '../format/words';
import { useLive, useTopic } from '../live/context';
import { changesMax, type LiveChange } from '../live/reducer';
import { changeCaption } from './overview/LiveChanges';

const rowHeight = 30;
const columns = 'grid grid-cols-[96px_minmax(140px,1.3fr)_110px_minmax(120px,1fr)_minmax(120px,1fr)_100px_84px] gap-3 px-3.5 min-w-[860px]';

const choices = [{ value: 'all', text: 'All' }, ...states.filter((state) => state !== 'never_seen').map((state) => ({ value: state, text: stateWord[state] }))] as const;

export function matches(change: LiveChange, state: string, words: string): boolean {
  if (state !== 'all' && change.state !== state) return false;
  return !words || `${change.id} ${change.region} ${change.cause} ${causeWord(change.cause)} ${change.gateway}`.toLowerCase().includes(words.toLowerCase());
}

function Row({ change }: { change: LiveChange }) {
  return (
    <div role="row" className={`${columns} h-full items-center border-b border-line text-small hover:bg-raise/60`}>
      <time role="cell" className="mono text-fg3" title={dateTime(change.time)}>
        {clockMs(change.time)}
      </time>
      <span role="cell" className="truncate">
        <Link to="/devices/$id" params={{ id: change.id }} className="link mono">
          {change.id}
        </Link>
      </span>
      <span role="cell" title={`was ${stateWord[change.previous] ?? change.previous}`}>
        <StateText of={markOf(change)} />
      </span>
      <span role="cell" className="truncate text-fg2">{causeWord(change.cause)}</span>
      <span role="cell" className="truncate text-fg2" title={change.region}>{regionPath(change.region)}</span>
      <span role="cell" className="mono truncate text-fg3">{change.gateway || '—'}</span>
      <span role="cell" className="num text-right text-fg2">{change.detected_in_ms === null ? '—' : delayText(change.detected_in_ms)}</span>
    </div>
  );
}

/** Every change that the stream tells this page, as it happens. */
export function LiveEvents() {
  useTopic('changes');
  const changes = useLive((live) => live.changes);
  const rate = useLive((live) => live.changeRate);
  const sampled = useLive((live) => live.sampled);
  const [state, setState] = useState<State | 'all'>('all');
  const [words, setWords] = useState('');
  const shown = useMemo(() => changes.filter((change) => matches(change, state, words.trim())), [changes, state, words]);
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => shown[index]?.sequence ?? index,
    overscan: 12,
  });

  return (
    <Panel
      title="Live status changes"
      caption={`${changeCaption(rate, sampled)} · newest ${shown.length} since this page was opened, at most ${changesMax}`}
      actions={<Segmented label="State" value={state} options={choices as unknown as { value: State | 'all'; text: string }[]} onChange={setState} />}
      className="h-[calc(100dvh-68px)]"
    >
      <div className="border-b border-line p-2">
        <input className="field" value={words} onChange={(event) => setWords(event.target.value)} placeholder="Device, region, cause or gateway contains…" aria-label="Filter changes" />
      </div>
      <div ref={scroller} className="min-h-0 flex-1 overflow-auto" role="table" aria-label="Status changes, newest first" aria-rowcount={shown.length + 1} tabIndex={0}>
        <div role="row" className={`${columns} cap sticky top-0 z-10 h-7.5 items-center border-b border-line bg-panel font-medium`}>
          {['Time', 'Device', 'Became', 'Cause', 'Region', 'Gateway'].map((name) => (
            <span key={name} role="columnheader">{name}</span>
          ))}
          <span role="columnheader" className="text-right">Detected in</span>
        </div>
        {shown.length === 0 ? (
          <Empty title={changes.length ? 'No change matches' : 'No change since this page was opened'}>
            {changes.length ? 'The filter hides all of them.' : 'Connects, disconnects and timeouts appear here as they happen.'}
          </Empty>
        ) : (
          <div role="rowgroup" className="fades relative" style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map((item) => {
              const change = shown[item.index];
              return change && (
                <div key={item.key} role="presentation" className="absolute inset-x-0 top-0" style={{ height: rowHeight, transform: `translateY(${item.start}px)` }}>
                  <Row change={change} />
                </div>
              );
            })}
          </div>
        )}
      </div>
    </Panel>
  );
}
