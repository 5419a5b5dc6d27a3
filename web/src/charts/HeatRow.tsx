import { useSize } from '../components/useSize';
import { heatColour, worstOf } from './heat';

const cellWidth_px = 5;

/** A region's offline share over time, a cell a step. */
export function HeatRow({ values, label }: { values: (number | null)[]; label: string }) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const cells = worstOf(values, Math.max(1, Math.floor(width / cellWidth_px)));
  return (
    <div ref={box} className="flex h-4 min-w-0 flex-1 gap-px" role="img" aria-label={label}>
      {cells.map((share, cell) => (
        <div key={cell} className="min-w-0 flex-1 rounded-[1.5px] outline -outline-offset-1 outline-line/60" style={{ background: heatColour(share) }} />
      ))}
    </div>
  );
}
