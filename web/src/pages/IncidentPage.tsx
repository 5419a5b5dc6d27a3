import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { lazy, Suspense, useMemo } from 'react';
import { useIncident, useRegions, useRegionSeries } from '../api/queries';
import type { Incident } from '../api/types';
import { columnsOf } from '../charts/points';
import { TimeChart } from '../charts/TimeChart';
import { Ago } from '../components/Ago';
import { SeverityPill, useIncidentAge } from '../components/IncidentRow';
import { useNow } from '../components/now';
import { Panel } from '../components/Panel';
import { Empty, Loaded, Loading } from '../components/States';
import { integer, percent } from '../format/number';
import { dateTime, moment } from '../format/time';
import { causeKindWord, plural, regionName, regionPath } from '../format/words';

const WorldMap = lazy(() => import('../map/WorldMap').then((module) => ({ default: module.WorldMap })));

/** The built-in region rule: opens above this share. */
const threshold = 0.1;
const builtInRule = 'region_offline_share';
/** From here on the cause is said as a fact; under it, as the likeliest. */
const sure = 0.8;
/** Most of the members have it, and clearly more than all devices do. */
const strongShare = 0.8;
const strongLift = 0.2;
const stands = (item: Incident['shared'][number]): boolean => item.share >= strongShare && item.share - item.cohort_share >= strongLift;
/** The series shows some of the time before the threshold was crossed. */
const before_min = 30;
const leastMinutes = 60;
const mostMinutes = 1440;

function Head({ incident }: { incident: Incident }) {
  const age = useIncidentAge(incident);
  const edge = incident.state === 'resolved' ? 'border-ok-fill/50' : incident.severity === 'critical' ? 'border-bad-fill/60' : 'border-warn-fill/60';
  return (
    <section className={`panel p-3.5 ${edge}`} aria-label="Incident">
      <div className="flex flex-wrap items-center gap-2.5">
        <SeverityPill incident={incident} />
        <p className="text-[17px] font-semibold tracking-tight">{incident.title}</p>
        <span className="mono text-fg3">{incident.id}</span>
        <Link to="/devices" search={{ region: incident.region, state: 'offline' }} className="button button-primary ml-auto">
          Offline devices
        </Link>
      </div>
      <Cause incident={incident} />
      <p className="mt-1 max-w-[80ch] text-fg2">{incident.summary}</p>
      <dl className="num mt-3 grid grid-cols-2 gap-3 desk:grid-cols-6">
        <Fact name="Region" value={incident.region ? regionPath(incident.region) : 'Everywhere'} />
        <Fact name="Devices" value={`${integer(incident.members)} of ${integer(incident.population)}`} />
        <Fact name="Share" value={`${percent(incident.share)} · peak ${percent(incident.share_peak)}`} />
        <Fact name="Opened" value={dateTime(incident.opened)} />
        <Fact name={incident.resolved ? 'Resolved' : 'Open for'} value={incident.resolved ? dateTime(incident.resolved) : age} />
        <Fact name={incident.resolved ? 'Lasted' : 'Recovery expected'} value={incident.resolved ? age : incident.recovery_expected ? dateTime(incident.recovery_expected) : 'not yet in sight'} />
      </dl>
    </section>
  );
}

/** The first thing to know: what it comes from, how sure that is, and by what the devices are told from all others. */
function Cause({ incident }: { incident: Incident }) {
  const scope = incident.scope.map((condition) => `${condition.attribute} ${condition.value}`).join(' · ');
  return (
    <p className="mt-2 text-[15px]">
      <span className="font-medium">
        {incident.confidence >= sure || incident.cause === 'unexplained' ? '' : 'Likely: '}
        {causeKindWord[incident.cause]}
      </span>
      {scope && <span className="mono ml-2 text-fg2">{scope}</span>}
      {incident.cause !== 'unexplained' && <span className="num ml-2 text-fg3">{percent(incident.confidence, 0)} sure</span>}
    </p>
  );
}

/** How many devices it had hit, from the first to now. */
function Blast({ incident }: { incident: Incident }) {
  const line = useMemo(() => {
    const points = incident.blast.map(({ time, members }) => [time, members, members, members] as [number, number, number, number]);
    return { columns: columnsOf(points), from: points[0]?.[0] ?? 0, to: points.at(-1)?.[0] ?? 1 };
  }, [incident.blast]);
  return (
    <Panel title="Devices concerned" caption={`at most ${integer(incident.members_peak)}`}>
      {incident.blast.length > 1 ? (
        <div className="fades p-3">
          <TimeChart label="Devices concerned over time" columns={line.columns} from={line.from} to={line.to} tone="bad-fill" height={236} floor={0} format={(value) => integer(Math.round(value))} />
        </div>
      ) : (
        <Empty title="Nothing has changed yet">{plural(incident.members, 'device')} since it opened.</Empty>
      )}
    </Panel>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div className="min-w-0">
      <dt className="cap">{name}</dt>
      <dd className="truncate" title={value}>
        {value}
      </dd>
    </div>
  );
}

const shareText = (value: number): string => percent(value, value > 0 && value < 0.01 ? 1 : 0);

function ShareChart({ incident }: { incident: Incident }) {
  const opened_min = Math.ceil((Date.now() - incident.threshold_crossed) / 60_000) + before_min;
  const minutes = Math.min(mostMinutes, Math.max(leastMinutes, Math.ceil(opened_min / 30) * 30));
  const series = useRegionSeries(minutes);
  const line = useMemo(() => {
    const values = series.data?.regions.find((candidate) => candidate.region === incident.region)?.offline_share;
    if (!series.data || !values?.length) return null;
    const points = series.data.times.map((time, index) => {
      const value = values[index] ?? null;
      return [time, value, value, value] as [number, number | null, number | null, number | null];
    });
    return { columns: columnsOf(points), from: points[0]?.[0] ?? 0, to: points.at(-1)?.[0] ?? 1 };
  }, [series.data, incident.region]);
  return (
    <Panel title={`Offline share, ${regionName(incident.region)}`} caption={`threshold ${percent(threshold, 0)}, dashed`}>
      <Loaded query={{ ...series, data: series.data && { line } }} what="The series could not be read" rows={7}>
        {({ line: shown }) =>
          shown ? (
            <div className="fades p-3">
              <TimeChart label={`Offline share of ${regionName(incident.region)} over time`} columns={shown.columns} from={shown.from} to={shown.to} tone="bad-fill" height={236} floor={0} limit={threshold} format={shareText} />
            </div>
          ) : (
            <Empty title="No series of this time">The offline shares of the last 24 h are kept, from the start of the server.</Empty>
          )
        }
      </Loaded>
    </Panel>
  );
}

function Shared({ incident }: { incident: Incident }) {
  return (
    <Panel title="What they share" caption={`${plural(incident.members, 'device')} against the whole fleet`}>
      {incident.shared.length === 0 ? (
        <Empty title="Nothing stands out">No attribute is common to most of the members.</Empty>
      ) : (
        <ul className="fades flex flex-col gap-3.5 p-3.5">
          {incident.shared.map((item) => (
            <li key={`${item.attribute} ${item.value}`}>
              <div className="flex items-baseline gap-3">
                <span className="w-20 shrink-0 text-fg2">{item.attribute}</span>
                <span className="mono truncate">{item.value}</span>
                <span className={`num ml-auto ${stands(item) ? 'font-medium text-bad' : 'text-fg2'}`}>{percent(item.share, 0)}</span>
                {item.cohort_share > 0 && <span className="num w-16 text-right text-fg3">vs {percent(item.cohort_share, 0)}</span>}
              </div>
              <div className="relative mt-1.5 h-1 rounded-full bg-raise">
                <div className={`h-1 min-w-1 rounded-full ${stands(item) ? 'bg-bad-fill' : 'bg-unknown-fill'}`} style={{ width: `${item.share * 100}%` }} />
                {item.cohort_share > 0 && <div className="absolute -top-0.5 h-2 w-0.5 bg-fg" style={{ left: `${item.cohort_share * 100}%` }} />}
              </div>
            </li>
          ))}
        </ul>
      )}
      {incident.shared.length > 0 && <p className="cap mt-auto px-3.5 pb-3">Bar: share among the members. Tick: share among all devices.</p>}
    </Panel>
  );
}

function Where({ incident }: { incident: Incident }) {
  const regions = useRegions();
  const navigate = useNavigate();
  const placed = regions.data?.regions.some((region) => region.region === incident.region && region.lat !== null);
  return (
    <Panel title="Where" caption={regionPath(incident.region)} className="h-[340px]">
      <Loaded query={regions} what="The regions could not be read" rows={6}>
        {(data) =>
          placed ? (
            <Suspense fallback={<Loading rows={6} />}>
              <WorldMap regions={data.regions} focus={incident.region} className="fades flex-1" onOpen={(region) => void navigate({ to: '/devices', search: { region } })} />
            </Suspense>
          ) : (
            <Empty title="This region has no place">It is shown on the map once its devices have coordinates.</Empty>
          )
        }
      </Loaded>
    </Panel>
  );
}

function Story({ incident }: { incident: Incident }) {
  const now = useNow();
  const newestFirst = [...incident.timeline].sort((a, b) => b.time - a.time);
  return (
    <Panel title="Timeline" caption={plural(newestFirst.length, 'entry', 'entries')}>
      <ol className="flex flex-col gap-2.5 p-3.5">
        {newestFirst.map((entry, index) => (
          <li key={index} className="grid grid-cols-[auto_10px_minmax(0,1fr)] items-baseline gap-2.5">
            <time className="mono text-fg3" title={dateTime(entry.time)}>
              {moment(entry.time, now)}
            </time>
            <span className={`size-1.5 rounded-full ${index === 0 && incident.state === 'open' ? 'bg-bad-fill' : 'bg-unknown-fill'}`} aria-hidden="true" />
            <span>{entry.text}</span>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

export function IncidentPage() {
  const { id } = useParams({ from: '/incidents/$id' });
  const incident = useIncident(id);
  return (
    <Loaded query={incident} what="The incident could not be read" rows={8}>
      {(data) => (
        <div className="flex flex-col gap-3">
          <Head incident={data} />
          <div className="grid gap-3 wide:grid-cols-[minmax(0,1.5fr)_minmax(0,1fr)]">
            <Shared incident={data} />
            {data.rule === builtInRule ? <ShareChart incident={data} /> : <Blast incident={data} />}
            <Where incident={data} />
            <Story incident={data} />
          </div>
          <p className="cap">
            Rule: {data.rule.replaceAll('_', ' ')}. Threshold crossed <Ago time={data.threshold_crossed} />.
          </p>
        </div>
      )}
    </Loaded>
  );
}
