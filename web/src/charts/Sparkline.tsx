interface Props {
  values: (number | null)[];
  tone?: 'accent' | 'ok' | 'warn' | 'bad';
  /** In px; without it the line is as wide as its place. */
  width?: number;
  height?: number;
  /** The greatest value of the scale, which begins at zero: a flat line lies where its value is. */
  most?: number;
}

const stroke = { accent: 'var(--accent)', ok: 'var(--ok-fill)', warn: 'var(--warn-fill)', bad: 'var(--bad-fill)' };

/** More points than this are noise at this size; each drawn one is the mean of those that it stands for. */
const pointsMost = 48;
const drawn = { width: 100, margin: 1.5 };

interface Point {
  x: number;
  y: number;
}

export function thinned(values: (number | null)[], most = pointsMost): (number | null)[] {
  if (values.length <= most) return values;
  return Array.from({ length: most }, (_, index) => {
    const from = Math.floor((index * values.length) / most);
    const known = values.slice(from, Math.floor(((index + 1) * values.length) / most)).filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  });
}

/** Runs of points between the gaps. */
function runs(values: (number | null)[], at: (value: number, index: number) => Point): Point[][] {
  const all: Point[][] = [[]];
  values.forEach((value, index) => {
    if (value === null) all.push([]);
    else all.at(-1)?.push(at(value, index));
  });
  return all.filter((run) => run.length > 0);
}

const line = (points: Point[]): string => points.map(({ x, y }, index) => `${index ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');

/** The shape of the last hour; decoration beside a number that says the value, so hidden from screen readers. */
export function Sparkline({ values, tone = 'accent', width, height = 26, most }: Props) {
  const points = thinned(values);
  const top = (most ?? Math.max(0, ...points.filter((value) => value !== null)) * 1.1) || 1;
  const paths = runs(points, (value, index) => ({
    x: (index / Math.max(1, points.length - 1)) * drawn.width,
    y: height - drawn.margin - (Math.min(value, top) / top) * (height - 2 * drawn.margin),
  }));
  return (
    <svg width={width ?? '100%'} height={height} viewBox={`0 0 ${drawn.width} ${height}`} preserveAspectRatio="none" aria-hidden="true" className="shrink-0">
      {paths.map((run, index) => (
        <g key={index}>
          <path d={`${line(run)}L${run.at(-1)?.x} ${height}L${run[0]?.x} ${height}Z`} fill={stroke[tone]} opacity="0.12" />
          <path d={line(run)} fill="none" stroke={stroke[tone]} strokeWidth="1.4" strokeLinejoin="round" vectorEffect="non-scaling-stroke" />
        </g>
      ))}
    </svg>
  );
}
