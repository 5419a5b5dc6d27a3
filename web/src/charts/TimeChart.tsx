import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { colour, useTheme } from '../components/theme';
import { useSize } from '../components/useSize';
import { compact, measure } from '../format/number';
import { clock, clockMinutes, day, moment } from '../format/time';
import type { Columns } from './points';

export type Tone = 'accent' | 'ok-fill' | 'warn-fill' | 'bad-fill';

interface Props {
  label: string;
  columns: Columns;
  from: number;
  to: number;
  height?: number;
  tone?: Tone;
  /** How a value is written on the axis and under the pointer. */
  format?: (value: number) => string;
  /** A horizontal line that means something (a threshold). */
  limit?: number;
  /** The least that the value axis shows; open when missing. */
  floor?: number;
}

const axisText = (value: number): string => (Math.abs(value) >= 10_000 ? compact(value) : measure(value));

function yRange(floor: number | undefined, limit: number | undefined): uPlot.Range.Function {
  return (_, least, greatest) => {
    const low = Math.min(floor ?? least, least);
    const high = Math.max(greatest ?? 1, limit ?? -Infinity);
    const room = high === low ? Math.abs(high) * 0.1 || 1 : (high - low) * 0.12;
    return [floor !== undefined && low >= floor ? floor : low - room, high + room];
  };
}

function drawLimit(chart: uPlot, limit: number) {
  const y = chart.valToPos(limit, 'y', true);
  const { left, width } = chart.bbox;
  chart.ctx.save();
  chart.ctx.strokeStyle = colour('bad-fill');
  chart.ctx.lineWidth = devicePixelRatio;
  chart.ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  chart.ctx.beginPath();
  chart.ctx.moveTo(left, y);
  chart.ctx.lineTo(left + width, y);
  chart.ctx.stroke();
  chart.ctx.restore();
}

function optionsOf(props: Props, width: number, height: number, onPoint: (chart: uPlot) => void): uPlot.Options {
  const { tone = 'accent', format = axisText, limit, floor } = props;
  const main = colour(tone);
  const axis: uPlot.Axis = {
    stroke: colour('fg3'),
    font: '10px "Inter Variable", sans-serif',
    ticks: { show: false },
    grid: { stroke: colour('line'), width: 1 },
  };
  const long = props.to - props.from > 2 * 86_400_000;
  const timeText = (seconds: number) => (long ? day(seconds * 1000).replace(/ \d{4}$/, '') : clockMinutes(seconds * 1000));
  return {
    width,
    height,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 6, fill: main, width: 0 }, drag: { setScale: false } },
    scales: { x: { time: true, range: [props.from / 1000, props.to / 1000] }, y: { range: yRange(floor, limit) } },
    axes: [
      { ...axis, size: 22, space: 64, grid: { show: false }, values: (_, ticks) => ticks.map(timeText) },
      { ...axis, size: 44, gap: 6, space: 34, values: (_, ticks) => ticks.map(format) },
    ],
    series: [
      {},
      { stroke: main, width: 1.4, points: { show: props.columns.average.filter((value) => value !== null).length < 2, size: 4, fill: main } },
      { stroke: 'transparent', points: { show: false } },
      { stroke: 'transparent', points: { show: false } },
    ],
    bands: [{ series: [3, 2], fill: `color-mix(in srgb, ${main} 22%, transparent)` }],
    hooks: { setCursor: [onPoint], draw: limit === undefined ? [] : [(chart) => drawLimit(chart, limit)] },
  };
}

/** One value over time with its least–greatest band. The pointer reads a value; gaps stay gaps. */
export function TimeChart(props: Props) {
  const { label, columns, from, to, height = 120, tone, format = axisText, limit, floor } = props;
  const [box, { width }] = useSize<HTMLDivElement>();
  const readout = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const theme = useTheme();

  useEffect(() => {
    const target = box.current?.querySelector<HTMLDivElement>('[data-plot]');
    if (!target || width === 0) return;
    const onPoint = (drawn: uPlot) => {
      const index = drawn.cursor.idx;
      if (!readout.current) return;
      const value = index == null ? null : drawn.data[1]?.[index];
      const time = index == null ? null : drawn.data[0][index];
      readout.current.textContent = value == null || time == null ? '' : `${moment(time * 1000, Date.now()) || clock(time * 1000)}  ${format(value)}`;
    };
    const data: uPlot.AlignedData = [columns.times, columns.average, columns.least, columns.greatest];
    chart.current = new uPlot(optionsOf({ label, columns, from, to, tone, format, limit, floor }, width, height, onPoint), data, target);
    return () => {
      chart.current?.destroy();
      chart.current = null;
    };
  }, [box, label, columns, from, to, height, tone, format, limit, floor, width, theme]);

  return (
    <div ref={box} className="relative" style={{ height }} role="img" aria-label={label}>
      <div data-plot />
      <div ref={readout} className="num pointer-events-none absolute top-0 right-2 rounded bg-panel/80 px-1 text-tiny whitespace-pre text-fg2" />
    </div>
  );
}
