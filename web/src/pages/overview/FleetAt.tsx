import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { ApiError } from '../../api/client';
import { useFleet, usePastFleet } from '../../api/queries';
import type { Counts, PastFleet } from '../../api/types';
import { useNow } from '../../components/now';
import { Panel } from '../../components/Panel';
import { Segmented } from '../../components/Segmented';
import { StateBar } from '../../components/StateBar';
import { useDebounced } from '../../components/useDebounced';
import { integer, onlinePercent, percent, signed } from '../../format/number';
import { ago, dateTime } from '../../format/time';
import { atOf, spans, worstThen, type SpanKey } from './scrub';

function Worst({ fleet }: { fleet: PastFleet }) {
  const worst = worstThen(fleet.regions, 3);
  if (worst.length === 0) return null;
  return (
    <p className="cap num flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
      <span>Most offline then</span>
      {worst.map(({ region, offline_share }) => (
        <Link key={region} to="/devices" search={{ region }} className="link text-fg2">
          {region} {percent(offline_share)}
        </Link>
      ))}
    </p>
  );
}

function Then({ counts, now }: { counts: Counts; now: Counts | undefined }) {
  return (
    <p className="num min-w-0 text-fg2">
      <b className="font-semibold text-fg">{onlinePercent(counts.online, counts.total)}%</b> of {integer(counts.total)} devices online, {integer(counts.offline)}{' '}
      offline, {integer(counts.unknown)} unknown
      {now && <span className="cap"> · {signed(now.online - counts.online)} online since</span>}
    </p>
  );
}

/** The fleet as it was: a slider over the presence history. At its right end it is now, and nothing is asked. */
export function FleetAt() {
  const [span, setSpan] = useState<SpanKey>('24h');
  const [share, setShare] = useState(1);
  /** Stands still while the clock goes on: what was asked is not asked again. */
  const [at, setAt] = useState<number | null>(null);
  const now = useNow();
  const past = usePastFleet(useDebounced(at, 200));
  const live = useFleet().data?.counts;
  const shown = at === null ? undefined : past.data;
  const early = past.error instanceof ApiError && past.error.status === 404;
  const move = (to: number, within: SpanKey) => {
    setShare(to);
    setSpan(within);
    setAt(atOf(to, within, Date.now()));
  };
  return (
    <Panel
      title="Fleet at"
      caption={at === null ? 'now' : `${dateTime(at)} · ${ago(at, now)}`}
      actions={<Segmented label="How far back" value={span} options={spans} onChange={(chosen) => move(share, chosen)} />}
    >
      <div className="flex flex-col gap-2 p-3.5">
        <input
          type="range"
          className="scrubber"
          aria-label="Time"
          aria-valuetext={at === null ? 'now' : dateTime(at)}
          min={0}
          max={1}
          step={1 / 480}
          value={share}
          onChange={(event) => move(Number(event.target.value), span)}
        />
        {at === null && <p className="cap">Move the slider to see the fleet as it was.</p>}
        {at !== null && past.error && (
          <p role="alert" className="text-fg2">
            {early ? 'Nothing is known of that time: ' : 'The past could not be read: '}
            {past.error.message}
          </p>
        )}
        {shown && !past.error && (
          <div className={`flex flex-col gap-2 ${past.isPlaceholderData ? 'opacity-60' : ''}`}>
            <StateBar counts={shown.counts} />
            <Then counts={shown.counts} now={live} />
            <Worst fleet={shown} />
          </div>
        )}
      </div>
    </Panel>
  );
}
