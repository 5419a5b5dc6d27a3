import { Link } from '@tanstack/react-router';
import { TrendingDown, TrendingUp } from 'lucide-react';
import { useFleet, useFleetSeries, useIncidents } from '../../api/queries';
import type { Fleet, FleetPoint, State } from '../../api/types';
import { countedOverlays } from '../../api/types';
import { Sparkline } from '../../charts/Sparkline';
import { Ago } from '../../components/Ago';
import { StateBar } from '../../components/StateBar';
import { Shape } from '../../components/StateMark';
import { Loaded } from '../../components/States';
import { bytes, integer, onlinePercent, rate, signed, type Quantity } from '../../format/number';
import { delay, delayText, duration } from '../../format/time';
import { overlayWord, stateWord } from '../../format/words';
import { trendOf, type Trend } from './trend';

/** Within this a change of status must be visible at p99, and always within the second. */
const latencyTarget_ms = 1000;
const latencyLimit_ms = 5000;
const minutes = 60;

function TrendPill({ trend }: { trend: Trend | null }) {
  if (!trend || Math.abs(trend.points) < 0.01) return null;
  const falling = trend.points < 0;
  const Icon = falling ? TrendingDown : TrendingUp;
  return (
    <span className={`pill num ${falling ? 'bg-bad-soft text-bad' : 'bg-ok-soft text-ok'}`}>
      <Icon size={13} aria-hidden="true" />
      {falling ? 'down' : 'up'} {Math.abs(trend.points).toFixed(2)} pt in {duration(trend.span_ms)}
    </span>
  );
}

function StateCount({ state, count, change, span }: { state: State; count: number; change: number | null; span: string }) {
  return (
    <div>
      <dt>
        <Link to="/devices" search={{ state }} className="link inline-flex items-center gap-1.5 text-small text-fg2">
          <Shape of={state} size={8} />
          {stateWord[state]}
        </Link>
      </dt>
      <dd className="num">
        <span className="text-[15px] leading-5 font-semibold">{integer(count)}</span>
        <span className="cap block">{change === null ? 'of all devices' : `${signed(change)} in ${span}`}</span>
      </dd>
    </div>
  );
}

function OverlayCounts({ fleet }: { fleet: Fleet }) {
  const present = countedOverlays.filter((overlay) => fleet.counts[overlay] > 0);
  if (present.length === 0) return null;
  return (
    <p className="cap num mt-2 flex flex-wrap items-center gap-x-3 gap-y-1">
      <span>Of these</span>
      {present.map((overlay) => (
        <Link key={overlay} to="/devices" search={{ overlay }} className="link inline-flex items-center gap-1.5 text-fg2">
          <Shape of={overlay} size={8} />
          {integer(fleet.counts[overlay])} {overlayWord[overlay].toLowerCase()}
        </Link>
      ))}
    </p>
  );
}

function Health({ fleet, series }: { fleet: Fleet; series: FleetPoint[] | undefined }) {
  const { counts } = fleet;
  const trend = trendOf(series, counts, fleet.time);
  const span = trend ? duration(trend.span_ms) : '';
  return (
    <div className="min-w-0 p-3.5 wide:flex-[4.4]">
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
        <p className="num text-[30px] leading-9 font-semibold tracking-tight">
          {onlinePercent(counts.online, counts.total)}
          <span className="text-[19px] font-normal text-fg3">%</span>
        </p>
        <p className="num text-fg2">
          of <b className="font-semibold text-fg">{integer(counts.total)}</b> devices online
        </p>
        <div className="ml-auto flex items-center gap-2.5">
          <TrendPill trend={trend} />
          <span className="cap">
            as of <Ago time={fleet.time} />
          </span>
        </div>
      </div>
      <div className="mt-2.5 mb-3">
        <StateBar counts={counts} />
      </div>
      <dl className="grid grid-cols-2 gap-x-3 gap-y-2.5 desk:grid-cols-4">
        <StateCount state="online" count={counts.online} change={trend && trend.online} span={span} />
        <StateCount state="offline" count={counts.offline} change={trend && trend.offline} span={span} />
        <StateCount state="unknown" count={counts.unknown} change={trend && trend.unknown} span={span} />
        <StateCount state="never_seen" count={counts.never_seen} change={null} span={span} />
      </dl>
      <OverlayCounts fleet={fleet} />
    </div>
  );
}

function Figure({ label, value, note, children }: { label: string; value: Quantity; note: string; children: React.ReactNode }) {
  return (
    <div className="flex min-w-0 flex-col border-line p-3.5 max-wide:border-t max-wide:odd:border-l wide:flex-1 wide:border-l">
      <p className="text-small text-fg2">{label}</p>
      <p className="num text-[19px] leading-7 font-semibold tracking-tight whitespace-nowrap">
        {value[0]}
        <span className="ml-1 text-small font-normal text-fg2">{value[1]}</span>
      </p>
      <p className="cap num truncate">{note}</p>
      <div className="mt-auto pt-2.5">{children}</div>
    </div>
  );
}

function latencyTone(p99: number | undefined): 'ok' | 'warn' | 'bad' {
  if (p99 === undefined || p99 <= latencyTarget_ms) return 'ok';
  return p99 <= latencyLimit_ms ? 'warn' : 'bad';
}

function Figures({ fleet, series = [] }: { fleet: Fleet; series: FleetPoint[] | undefined }) {
  const incidents = useIncidents().data?.filter((incident) => incident.state === 'open');
  const critical = incidents?.filter((incident) => incident.severity === 'critical').length ?? 0;
  const { detection_ms: detection, rates } = fleet;
  return (
    <>
      <Figure
        label="Status latency, p99"
        value={detection ? delay(detection.p99) : ['—', 'no change in the last minute']}
        note={detection ? `p50 ${delayText(detection.p50)} · target ${delayText(latencyTarget_ms)}` : `target ${delayText(latencyTarget_ms)}`}
      >
        <Sparkline height={34} values={series.map((point) => point.detection_p99_ms)} tone={latencyTone(detection?.p99)} />
      </Figure>
      <Figure label="Ingest" value={rate(rates.records_per_s, 'records/s')} note={`${bytes(rates.bytes_per_s)}/s`}>
        <Sparkline height={34} values={series.map((point) => point.records_per_s)} />
      </Figure>
      <Figure label="Connects" value={[integer(rates.connects_per_min), '/min']} note={`${integer(rates.disconnects_per_min)} disconnects /min`}>
        <Sparkline height={34} values={series.map((point) => point.connects_per_min)} tone="warn" />
      </Figure>
      <Figure label="Open incidents" value={[integer(fleet.incidents_open), '']} note={fleet.incidents_open === 0 ? 'none' : incidents ? `${critical} critical` : ''}>
        <Sparkline height={34} values={series.map((point) => point.incidents_open)} tone="bad" most={Math.max(2, ...series.map((point) => point.incidents_open))} />
      </Figure>
    </>
  );
}

/** The fleet in one line: how many are alive, and how well Muster itself does. */
export function HealthStrip() {
  const fleet = useFleet();
  const series = useFleetSeries(minutes).data?.series;
  return (
    <section className="panel fades grid grid-cols-2 wide:flex" aria-label="Fleet health">
      <Loaded query={fleet} what="The fleet could not be read" rows={4}>
        {(data) => (
          <>
            <div className="col-span-2 wide:contents">
              <Health fleet={data} series={series} />
            </div>
            <Figures fleet={data} series={series} />
          </>
        )}
      </Loaded>
    </section>
  );
}
