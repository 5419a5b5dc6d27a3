import { Download } from 'lucide-react';
import { useMemo, useState } from 'react';
import { download } from '../../api/client';
import { devicePath, useBatteryForecast, useHistory } from '../../api/queries';
import type { Device, History } from '../../api/types';
import { columnsOf, latest } from '../../charts/points';
import { TimeChart, type Tone } from '../../charts/TimeChart';
import { Ago } from '../../components/Ago';
import { Panel } from '../../components/Panel';
import { Empty, Loaded } from '../../components/States';
import { measure, percent } from '../../format/number';
import { duration } from '../../format/time';
import { metricName, plural } from '../../format/words';
import { emptyIn } from './battery';
import { rangeOf, type RangeKey } from './ranges';

const resolutions: Record<string, string> = { raw: 'raw samples', '1m': '1 min average', '1h': '1 h average' };

/** "1 min average, drawn as 15 min, least–greatest band". */
function resolutionWord({ resolution, step_ms }: History): string {
  const drawn = step_ms > 0 && !(resolution === '1m' && step_ms === 60_000) && !(resolution === '1h' && step_ms === 3_600_000);
  return `${resolutions[resolution] ?? resolution}${drawn ? `, drawn by ${duration(step_ms)}` : ''}, least–greatest band`;
}

/** Below this a series' missing samples are told. */
const complete = 0.995;

/** One accent for data; no metric's colour means a state. */
const tone: Tone = 'accent';

function Metric({ series, history, now, note }: { series: History['series'][number]; history: History; now: number | undefined; note: string | null }) {
  const { from, to, step_ms } = history;
  const columns = useMemo(() => columnsOf(series.points, step_ms), [series.points, step_ms]);
  const value = now ?? latest(series.points);
  const name = metricName(series.metric);
  return (
    <div className="min-w-0 border-line px-3 pt-2.5 pb-2 not-last:border-b desk:nth-last-2:odd:border-b-0 desk:odd:border-r">
      <div className="flex items-baseline justify-between gap-2">
        <h3 className="truncate font-medium" title={series.metric}>
          {name}
          {series.completeness < complete && <span className="cap num ml-2 font-normal">{percent(series.completeness, 0)} of samples</span>}
        </h3>
        {note !== null && <span className="cap num mr-auto truncate">{note}</span>}
        <p className="num text-[15px] font-semibold whitespace-nowrap">
          {value === null ? '—' : measure(value)}
          <span className="ml-0.5 text-small font-normal text-fg2">{series.unit}</span>
        </p>
      </div>
      <TimeChart label={`${name} over time, now ${value === null ? 'unknown' : measure(value)} ${series.unit}`} columns={columns} from={from} to={to} tone={tone} height={124} />
    </div>
  );
}

function CsvButton({ device, history }: { device: Device; history: History }) {
  const [failed, setFailed] = useState(false);
  const save = () =>
    download(`${devicePath(device.id)}/history.csv`, { from: history.from, to: history.to }, `${device.id}.csv`).then(
      () => setFailed(false),
      () => setFailed(true),
    );
  return (
    <button type="button" className={`button ${failed ? 'button-danger' : 'button-ghost'}`} onClick={() => void save()}>
      <Download size={14} aria-hidden="true" />
      {failed ? 'CSV failed, try again' : 'CSV'}
    </button>
  );
}

export function TelemetryPanel({ device, range }: { device: Device; range: RangeKey }) {
  const history = useHistory(device.id, rangeOf(range));
  const forecast = useBatteryForecast(device.id);
  const { data } = history;
  return (
    <Panel
      title="Telemetry"
      caption={
        data && (
          <>
            {plural(data.series.length, 'metric')} · {resolutionWord(data)}
            {data.damaged_chunks > 0 && <> · {plural(data.damaged_chunks, 'block')} on disk cannot be read</>}
            {device.telemetry_time !== null && (
              <>
                {' '}
                · last sample <Ago time={device.telemetry_time} />
              </>
            )}
          </>
        )
      }
      actions={data && data.series.length > 0 && <CsvButton device={device} history={data} />}
    >
      <Loaded query={history} what="The telemetry could not be read" rows={8}>
        {(shown) =>
          shown.series.length === 0 ? (
            <Empty title="No telemetry in this range">
              The device publishes JSON numbers to <span className="mono">telemetry/{device.id}</span>.
            </Empty>
          ) : (
            <div className="fades grid desk:grid-cols-2">
              {shown.series.map((series) => (
                <Metric key={series.metric} series={series} history={shown} now={device.metrics[series.metric]} note={series.metric === forecast.data?.metric ? emptyIn(forecast.data) : null} />
              ))}
            </div>
          )
        }
      </Loaded>
    </Panel>
  );
}
