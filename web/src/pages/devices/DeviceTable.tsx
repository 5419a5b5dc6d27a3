import { Link } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useRef } from 'react';
import type { DeviceSummary } from '../../api/types';
import { Ago } from '../../components/Ago';
import { markWord, Shape, StateText } from '../../components/StateMark';
import { measure } from '../../format/number';
import { causeWord, metricName, regionName, regionPath } from '../../format/words';

const rowHeight = 34;
/** The next page is asked for when this many rows are left below. */
const askAhead = 30;
const metricColumnsMost = 2;

const grid = 'grid gap-3 px-3.5 min-w-[930px] items-center';
const template = (metrics: number) =>
  `minmax(140px,1.4fr) 104px 88px 84px minmax(116px,1fr) minmax(84px,1fr) 104px 64px ${'76px '.repeat(metrics)}`;

/** The metrics that most of the first rows have: the list does not know what a fleet measures. */
export function commonMetrics(devices: DeviceSummary[]): string[] {
  const uses = new Map<string, number>();
  for (const device of devices.slice(0, 50)) {
    for (const metric of Object.keys(device.metrics)) uses.set(metric, (uses.get(metric) ?? 0) + 1);
  }
  return [...uses].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, metricColumnsMost).map(([metric]) => metric);
}

const Row = memo(function Row({ device, metrics }: { device: DeviceSummary; metrics: string[] }) {
  return (
    <div role="row" className={`${grid} h-full border-b border-line text-body hover:bg-raise/60`} style={{ gridTemplateColumns: template(metrics.length) }}>
      <span role="cell" className="truncate">
        <Link to="/devices/$id" params={{ id: device.id }} className="link mono">
          {device.id}
        </Link>
      </span>
      <span role="cell" className="flex items-center gap-2">
        <StateText of={device.state} />
        {device.overlays.map((overlay) => (
          <span key={overlay} title={markWord[overlay]} className="flex">
            <Shape of={overlay} />
            <span className="sr-only">{markWord[overlay]}</span>
          </span>
        ))}
      </span>
      <span role="cell" className="truncate text-fg2">
        <Ago time={device.since} />
      </span>
      <span role="cell" className="truncate text-fg2">{device.last_seen === null ? '—' : <Ago time={device.last_seen} />}</span>
      <span role="cell" className="truncate text-fg2">{causeWord(device.cause)}</span>
      <span role="cell" className="truncate text-fg2" title={regionPath(device.region)}>{regionName(device.region)}</span>
      <span role="cell" className="truncate text-fg2">
        {device.model || '—'} <span className="mono text-fg3">{device.firmware}</span>
      </span>
      <span role="cell" className="mono truncate text-fg2">{device.gateway || '—'}</span>
      {metrics.map((metric) => (
        <span key={metric} role="cell" className="num text-right">
          {device.metrics[metric] === undefined ? '—' : measure(device.metrics[metric])}
        </span>
      ))}
    </div>
  );
});

interface Props {
  devices: DeviceSummary[];
  matched: number | null;
  more: boolean;
  fetching: boolean;
  onMore: () => void;
}

/** Draws only the rows in sight; the next page is fetched as the end comes near. */
export function DeviceTable({ devices, matched, more, fetching, onMore }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: devices.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => devices[index]?.id ?? index,
    overscan: 10,
  });
  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && !fetching && last >= devices.length - askAhead && last > 0) onMore();
  }, [more, fetching, last, devices.length, onMore]);
  const metrics = commonMetrics(devices);

  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-auto" role="table" aria-label="Devices" aria-rowcount={(matched ?? devices.length) + 1} tabIndex={0}>
      <div role="row" className={`${grid} cap sticky top-0 z-10 h-7.5 border-b border-line bg-panel font-medium`} style={{ gridTemplateColumns: template(metrics.length) }}>
        {['Device', 'Status', 'Since', 'Last seen', 'Cause', 'Region', 'Model', 'Gateway'].map((name) => (
          <span key={name} role="columnheader">{name}</span>
        ))}
        {metrics.map((metric) => (
          <span key={metric} role="columnheader" className="truncate text-right">{metricName(metric)}</span>
        ))}
      </div>
      <div role="rowgroup" className="fades relative" style={{ height: rows.getTotalSize() }}>
        {items.map((item) => {
          const device = devices[item.index];
          return device && (
            <div key={item.key} role="presentation" className="absolute inset-x-0 top-0" style={{ height: rowHeight, transform: `translateY(${item.start}px)` }}>
              <Row device={device} metrics={metrics} />
            </div>
          );
        })}
      </div>
      {fetching && <p className="cap px-3.5 py-2" role="status">Loading more…</p>}
    </div>
  );
}
