import { Download } from 'lucide-react';
import { useMemo, useState } from 'react';
import { download } from '../../api/client';
import { devicePath, useHistory } from '../../api/queries';
import type { Device, History } from '../../api/types';
import { columnsOf, latest } from '../../charts/points';
import { TimeChart, type Tone } from '../../charts/TimeChart';
import { Ago } from '../../components/Ago';
import { Panel } from '../../components/Panel';
import { Empty, Loaded } from '../../components/States';
import { measure } from '../../format/number';
import { metricName, plural } from '../../format/words';
import { rangeOf, type RangeKey } from './ranges';

const resolutions: Record<string, string> = { raw: 'raw samples', '1m': '1 min average', '1h': '1 h average' };

const resolutionWord = (resolution: string): string => `${resolutions[resolution] ?? resolution}, least–greatest band`;

/** One accent for data; no metric's colour means a state. */
const tone: Tone = 'accent';

function Metric({ series, from, to, now }: { series: History['series'][number]; from: number; to: number; now: number | undefined }) {
  const columns = useMemo(() => columnsOf(series.points), [series.points]);
  const value = now ?? latest(series.points);
  const name = metricName(series.metric);
  return (
    <div className="min-w-0 border-line px-3 pt-2.5 pb-2 not-last:border-b desk:nth-last-2:odd:border-b-0 desk:odd:border-r">
      <div className="flex items-baseline justify-between gap-2">
        <h3 className="truncate font-medium" title={series.metric}>
          {name}
        </h3>
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
  const { data } = history;
  return (
    <Panel
      title="Telemetry"
      caption={
        data && (
          <>
            {plural(data.series.length, 'metric')} · {resolutionWord(data.resolution)}
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
                <Metric key={series.metric} series={series} from={shown.from} to={shown.to} now={device.metrics[series.metric]} />
              ))}
            </div>
          )
        }
      </Loaded>
    </Panel>
  );
}
