import type { State } from '../api/types';
import { useSize } from '../components/useSize';
import { clockMinutes, day, duration, moment } from '../format/time';
import { plural, stateWord } from '../format/words';
import { histogram, ticks, type Timeline as Times } from './spans';

const fill: Record<State, string> = {
  online: 'var(--band)',
  offline: 'var(--bad-fill)',
  unknown: 'var(--unknown-fill)',
  never_seen: 'transparent',
};
const bins = 96;
const rows = { flap: 0, bar: 12, barHeight: 22, histogram: 38, histogramHeight: 10, text: 62, height: 68 };

/** What a device was, when: a bar of its states, hatched where it was judged flapping, disconnects counted below. */
export function Timeline({ times, from, to }: { times: Times; from: number; to: number }) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const x = (time: number) => ((time - from) / (to - from)) * width;
  const counts = histogram(times.disconnects, from, to, bins);
  const most = Math.max(1, ...counts);
  const axis = (time: number) => (to - from > 2 * 86_400_000 ? day(time).replace(/ \d{4}$/, '') : clockMinutes(time));
  const summary = `${plural(times.disconnects.length, 'disconnect')} in ${duration(to - from)}`;
  return (
    <div ref={box} className="min-w-0">
      <svg width={width} height={rows.height} role="img" aria-label={summary} className="block">
        <defs>
          <pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect width="5" height="5" fill="var(--warn-soft)" />
            <rect width="2" height="5" fill="var(--warn-fill)" opacity="0.75" />
          </pattern>
        </defs>
        <rect y={rows.bar} width={width} height={rows.barHeight} fill="var(--raise)" rx="3" />
        {times.flapping.map((band) => (
          <rect key={band.from} x={x(band.from)} y={rows.flap} width={Math.max(2, x(band.to) - x(band.from))} height="8" rx="1.5" fill="url(#hatch)" />
        ))}
        {times.spans.map((span) => (
          <rect
            key={span.from}
            x={x(span.from)}
            y={rows.bar}
            // A short outage is still seen; online spans give way.
            width={Math.max(span.state === 'offline' ? 1.5 : 0.5, x(span.to) - x(span.from))}
            height={rows.barHeight}
            fill={span.state ? fill[span.state] : 'transparent'}
          >
            <title>
              {`${span.state ? stateWord[span.state] : 'Not known'} ${moment(span.from, to)} to ${moment(span.to, to)} (${duration(span.to - span.from)})`}
            </title>
          </rect>
        ))}
        {counts.map((count, bin) =>
          count > 0 ? (
            <rect
              key={bin}
              x={(bin / bins) * width}
              y={rows.histogram + rows.histogramHeight * (1 - count / most)}
              width={Math.max(1, width / bins - 1)}
              height={(rows.histogramHeight * count) / most}
              fill="var(--unknown-fill)"
            />
          ) : null,
        )}
        {ticks(from, to, Math.max(2, Math.floor(width / 110))).map((time) => (
          <text key={time} x={x(time)} y={rows.text} fontSize="10.5" textAnchor={x(time) < 20 ? 'start' : x(time) > width - 20 ? 'end' : 'middle'} className="num fill-fg3">
            {axis(time)}
          </text>
        ))}
      </svg>
    </div>
  );
}
