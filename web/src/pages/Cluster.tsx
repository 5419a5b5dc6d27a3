import { useMemo } from 'react';
import { useFleet, useFleetSeries, useReadiness, type Readiness } from '../api/queries';
import type { Fleet, FleetPoint, FleetSeries, HistoryPoint } from '../api/types';
import { columnsOf } from '../charts/points';
import { TimeChart, type Tone } from '../charts/TimeChart';
import { Ago } from '../components/Ago';
import { useNow } from '../components/now';
import { Panel } from '../components/Panel';
import { Empty, Loaded } from '../components/States';
import { bytes, integer, percent, rate, type Quantity } from '../format/number';
import { dateTime, delay, delayText, duration } from '../format/time';
import { plural } from '../format/words';

const minutes = 60;
const lagWarn_ms = 2000;

function Box({ name, value, note, good = true }: { name: string; value: Quantity; note: string; good?: boolean }) {
  return (
    <div className="min-w-0 border-line p-3.5 not-first:border-l max-desk:border-b max-desk:odd:border-l-0">
      <dt className="flex items-center gap-1.5 text-small text-fg2">
        <span className={`size-2 ${good ? 'rounded-full bg-ok-fill' : 'rotate-45 bg-warn-fill'}`} aria-hidden="true" />
        {name}
        {!good && <span className="text-warn">(attention)</span>}
      </dt>
      <dd className="num">
        <span className="block text-[19px] leading-7 font-semibold tracking-tight">
          {value[0]}
          <span className="ml-1 text-small font-normal text-fg2">{value[1]}</span>
        </span>
        <span className="cap block truncate">{note}</span>
      </dd>
    </div>
  );
}

/** The way of a record, box by box. */
function Flow({ fleet }: { fleet: Fleet }) {
  const sessions = fleet.gateways.reduce((sum, gateway) => sum + gateway.sessions, 0);
  const detection = fleet.detection_ms;
  return (
    <section className="panel fades" aria-label="Flow">
      <dl className="grid grid-cols-2 desk:grid-cols-5">
        <Box name="Devices" value={[integer(fleet.counts.total), '']} note={`${integer(fleet.counts.online)} online`} />
        <Box name="Gateways" value={[integer(fleet.gateways.length), '']} note={plural(sessions, 'session')} good={fleet.gateways.length > 0} />
        <Box name="Bus" value={rate(fleet.rates.records_per_s, 'records/s')} note={`${bytes(fleet.rates.bytes_per_s)}/s`} />
        <Box name="Lag" value={delay(fleet.lag_ms)} note="newest partition time against the clock" good={!fleet.stale && fleet.lag_ms < lagWarn_ms} />
        <Box
          name="Detection, p99"
          value={detection ? delay(detection.p99) : ['—', '']}
          note={detection ? `p50 ${delayText(detection.p50)}, last minute` : 'nothing to measure in the last minute'}
          good={!detection || detection.p99 <= 1000}
        />
      </dl>
    </section>
  );
}

function Gateways({ fleet }: { fleet: Fleet }) {
  const sessions = fleet.gateways.reduce((sum, gateway) => sum + gateway.sessions, 0);
  const most = Math.max(1, ...fleet.gateways.map((gateway) => gateway.sessions));
  return (
    <Panel title="Gateways" caption={`${plural(fleet.gateways.length, 'gateway')} · ${plural(sessions, 'session')}`}>
      {fleet.gateways.length === 0 ? (
        <Empty title="No gateway is reporting">A gateway appears with its first tick on the bus.</Empty>
      ) : (
        <div className="overflow-x-auto" tabIndex={0} role="region" aria-label="Gateways, scrollable">
          <table className="rows fades">
            <thead>
              <tr>
                <th scope="col">Gateway</th>
                <th scope="col" className="right">Sessions</th>
                <th scope="col" className="w-2/5">Against the fullest</th>
                <th scope="col" className="right">Share of sessions</th>
                <th scope="col">Since</th>
              </tr>
            </thead>
            <tbody>
              {fleet.gateways.map((gateway) => (
                <tr key={gateway.name}>
                  <td className="mono">{gateway.name}</td>
                  <td className="right num">{integer(gateway.sessions)}</td>
                  <td>
                    <div className="h-1.5 min-w-24 rounded-full bg-raise">
                      <div className="h-1.5 rounded-full bg-accent" style={{ width: `${(gateway.sessions / most) * 100}%` }} />
                    </div>
                  </td>
                  <td className="right num">{percent(sessions ? gateway.sessions / sessions : 0)}</td>
                  <td className="text-fg2">
                    <Ago time={gateway.since} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

/** What a cluster consists of beside its gateways. */
function Processes({ fleet }: { fleet: Fleet }) {
  const others = fleet.processes.filter((process) => process.role !== 'gateway');
  if (others.length === 0) return null;
  return (
    <Panel title="Processes" caption={`${plural(others.length, 'process', 'processes')} heard from in the last 10 s`}>
      <div className="overflow-x-auto" tabIndex={0} role="region" aria-label="Processes, scrollable">
        <table className="rows fades">
          <thead>
            <tr>
              <th scope="col">Process</th>
              <th scope="col">Role</th>
              <th scope="col" className="right">Devices</th>
              <th scope="col" className="right">Records behind</th>
              <th scope="col">Since</th>
            </tr>
          </thead>
          <tbody>
            {others.map((process) => (
              <tr key={`${process.role}/${process.name}`}>
                <td className="mono">{process.name}</td>
                <td>{process.role}</td>
                <td className="right num">{process.role === 'processor' ? integer(process.devices) : '—'}</td>
                <td className="right num">{process.role === 'processor' ? integer(process.lag) : '—'}</td>
                <td className="text-fg2">
                  <Ago time={process.since} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

type Value = (point: FleetPoint) => number | null;
const charts: { title: string; value: Value; tone: Tone; format?: (value: number) => string }[] = [
  { title: 'Records per second', value: (point) => point.records_per_s, tone: 'accent' },
  { title: 'Connects per minute', value: (point) => point.connects_per_min, tone: 'warn-fill' },
  { title: 'Detection, p99', value: (point) => point.detection_p99_ms, tone: 'ok-fill', format: delayText },
];

function Chart({ series, index }: { series: FleetSeries; index: number }) {
  const chart = charts[index];
  const { columns, from, to } = useMemo(() => {
    const points = series.series.map((point): HistoryPoint => {
      const value = charts[index]?.value(point) ?? null;
      return [point.t, value, value, value];
    });
    return { columns: columnsOf(points), from: points[0]?.[0] ?? 0, to: points.at(-1)?.[0] ?? 1 };
  }, [series, index]);
  if (!chart) return null;
  return (
    <Panel title={chart.title} caption={`last ${duration(to - from)}, every ${series.step_s} s`}>
      <div className="fades p-2.5">
        <TimeChart label={`${chart.title}, last ${duration(to - from)}`} columns={columns} from={from} to={to} tone={chart.tone} floor={0} height={150} format={chart.format} />
      </div>
    </Panel>
  );
}

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function reasonsOf({ ready, detail }: Readiness): string[] {
  if (typeof detail !== 'object' || detail === null) return detail ? [wordOf(detail)] : [];
  const reasons = (detail as { reasons?: unknown }).reasons;
  if (Array.isArray(reasons)) return reasons.map(wordOf);
  return ready ? [] : [wordOf(detail)];
}

function Version({ fleet }: { fleet: Fleet }) {
  const now = useNow();
  const readiness = useReadiness();
  const reasons = readiness.data ? reasonsOf(readiness.data) : [];
  return (
    <Panel title="Server" caption="what answers this page">
      <dl className="num grid grid-cols-2 gap-3 p-3.5 desk:grid-cols-4">
        <div>
          <dt className="cap">Version</dt>
          <dd className="mono">{fleet.version}</dd>
        </div>
        <div>
          <dt className="cap">Started</dt>
          <dd>{dateTime(fleet.started)}</dd>
        </div>
        <div>
          <dt className="cap">Up for</dt>
          <dd>{duration(now - fleet.started)}</dd>
        </div>
        <div>
          <dt className="cap">Ready</dt>
          <dd className={readiness.data?.ready === false ? 'text-bad' : ''}>
            {readiness.data ? (readiness.data.ready ? 'Yes' : 'No') : readiness.error ? 'No answer' : '…'}
          </dd>
        </div>
      </dl>
      {reasons.length > 0 && (
        <ul className="border-t border-line px-3.5 py-2.5 text-fg2">
          {reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

export function Cluster() {
  const fleet = useFleet();
  const series = useFleetSeries(minutes);
  return (
    <Loaded query={fleet} what="The cluster could not be read" rows={8}>
      {(data) => (
        <div className="flex flex-col gap-3">
          <Flow fleet={data} />
          <Gateways fleet={data} />
          <Loaded query={series} what="The series could not be read">
            {(shown) =>
              shown.series.length < 2 ? (
                <div className="panel">
                  <Empty title="No series yet">The server keeps a point every {shown.step_s} s from its start.</Empty>
                </div>
              ) : (
                <div className="grid gap-3 wide:grid-cols-3">
                  {charts.map((chart, index) => (
                    <Chart key={chart.title} series={shown} index={index} />
                  ))}
                </div>
              )
            }
          </Loaded>
          <Version fleet={data} />
        </div>
      )}
    </Loaded>
  );
}
