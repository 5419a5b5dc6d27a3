import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useRegions, useRegionSeries } from '../../api/queries';
import type { Region, RegionSeries } from '../../api/types';
import { heatFull } from '../../charts/heat';
import { HeatRow } from '../../charts/HeatRow';
import { Panel } from '../../components/Panel';
import { Segmented } from '../../components/Segmented';
import { Empty, Loaded } from '../../components/States';
import { compact, percent } from '../../format/number';
import { clockMinutes, duration } from '../../format/time';
import { plural, regionName, regionPath } from '../../format/words';

const rowsMost = 9;
const warnFrom = heatFull / 2;

const ranges = [
  { value: '60', text: '1 h' },
  { value: '360', text: '6 h' },
  { value: '1440', text: '24 h' },
] as const;

export interface HeatLine {
  region: Region;
  values: (number | null)[];
}

/** The worst regions first: by what they are now, then by the worst that they were. Only the narrowest regions. */
export function worstRegions(regions: Region[], series: RegionSeries, most: number): HeatLine[] {
  const values = new Map(series.regions.map((line) => [line.region, line.offline_share]));
  const peak = (line: HeatLine) => Math.max(0, ...line.values.filter((value) => value !== null));
  return regions
    .filter((region) => region.leaf && region.counts.total > 0)
    .map((region) => ({ region, values: values.get(region.region) ?? [] }))
    .sort((a, b) => b.region.offline_share - a.region.offline_share || peak(b) - peak(a) || (a.region.region < b.region.region ? -1 : 1))
    .slice(0, most);
}

function Line({ line }: { line: HeatLine }) {
  const { region, values } = line;
  const share = region.offline_share;
  const tone = share >= heatFull ? 'text-bad font-medium' : share >= warnFrom ? 'text-warn font-medium' : '';
  return (
    <li className="flex h-6.5 items-center gap-3">
      <Link to="/devices" search={{ region: region.region }} className="link w-24 shrink-0 truncate text-fg2 desk:w-28" title={regionPath(region.region)}>
        {regionName(region.region)}
      </Link>
      <HeatRow values={values} label={`Offline share of ${regionName(region.region)} over time, now ${percent(share)}`} />
      <span className={`num w-12 shrink-0 text-right ${tone}`}>{percent(share)}</span>
      <span className="num w-12 shrink-0 text-right text-fg3">{compact(region.counts.offline)}</span>
    </li>
  );
}

function Axis({ times }: { times: number[] }) {
  const marks = [0, 0.25, 0.5, 0.75].map((part) => times[Math.floor(part * (times.length - 1))]);
  return (
    <div className="cap num mt-1 flex items-center gap-3" aria-hidden="true">
      <span className="w-24 shrink-0 desk:w-28" />
      <span className="flex min-w-0 flex-1 justify-between">
        {marks.map((time, index) => (
          <span key={index} className={index % 2 ? 'max-desk:hidden' : ''}>{time === undefined ? '' : clockMinutes(time)}</span>
        ))}
        <span>now</span>
      </span>
      <span className="w-12 shrink-0 text-right">share</span>
      <span className="w-12 shrink-0 text-right">offline</span>
    </div>
  );
}

export function RegionHeat() {
  const [minutes, setMinutes] = useState<(typeof ranges)[number]['value']>('60');
  const regions = useRegions();
  const series = useRegionSeries(Number(minutes));
  const times = series.data?.times ?? [];
  const lines = regions.data && series.data && worstRegions(regions.data.regions, series.data, rowsMost);
  const all = regions.data?.regions.filter((region) => region.leaf && region.counts.total > 0).length ?? 0;
  const kept = times.length > 1 ? duration((times.at(-1) ?? 0) - (times[0] ?? 0)) : '';
  return (
    <Panel
      title="Offline share by region"
      caption={lines && [kept && `last ${kept}`, `worst ${lines.length} of ${plural(all, 'region')}`].filter(Boolean).join(' · ')}
      actions={
        <>
          <span className="cap flex items-center gap-1.5 max-wide:hidden">
            0%
            <span className="h-1.5 w-14 rounded-full bg-linear-to-r from-raise via-warn-fill to-bad-fill" aria-hidden="true" />
            {percent(heatFull, 0)}+
          </span>
          <Segmented label="Range" value={minutes} options={ranges} onChange={setMinutes} />
        </>
      }
    >
      <Loaded query={regions.data === undefined ? { ...regions, data: undefined } : { ...series, data: lines }} what="The regions could not be read" rows={8}>
        {(shown) =>
          shown.length === 0 ? (
            <Empty title="No regions yet">A device appears in a region once it is registered with one.</Empty>
          ) : (
            <div className="fades px-3.5 py-2">
              <ul>
                {shown.map((line) => (
                  <Line key={line.region.region} line={line} />
                ))}
              </ul>
              <Axis times={times} />
            </div>
          )
        }
      </Loaded>
    </Panel>
  );
}
