import { Minus, Plus, RotateCcw } from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { Region } from '../api/types';
import { Shape } from '../components/StateMark';
import { useTheme } from '../components/theme';
import { useSize } from '../components/useSize';
import { integer, percent } from '../format/number';
import { plural, regionPath } from '../format/words';
import { drawMap } from './draw';
import { marksOf, unplaced, type Mark } from './marks';
import { place, type Placed } from './placement';
import { RegionCard } from './RegionCard';
import { useZoom } from './useZoom';
import { landPath, projectionFor } from './world';

interface Props {
  regions: Region[];
  onOpen: (region: string) => void;
  /** A region to begin with in the middle, zoomed in. */
  focus?: string;
  className?: string;
}

const card = { width: 224, height: 190 };
const focusScale = 5;
/** A narrower map has smaller marks. */
const fullSizeFrom_px = 640;

/** Beside the mark, on the side where there is room. */
function cardPosition(mark: Placed<Mark>, width: number, height: number) {
  const right = mark.placedX + mark.radius + 10;
  const left = right + card.width > width ? Math.max(4, mark.placedX - mark.radius - 10 - card.width) : right;
  return { left, top: Math.max(4, Math.min(mark.placedY - 40, height - card.height)) };
}

function Legend({ placeless }: { placeless: number }) {
  return (
    <div className="pointer-events-none absolute bottom-2.5 left-2.5 flex max-w-[calc(100%-60px)] flex-wrap items-center gap-x-3 rounded-small border border-line bg-panel/85 px-2.5 py-1 text-tiny text-fg2 max-desk:hidden">
      <span className="flex items-center gap-1.5"><Shape of="online" size={7} /> Online</span>
      <span className="flex items-center gap-1.5"><Shape of="offline" size={7} /> Offline</span>
      <span className="flex items-center gap-1.5"><Shape of="unknown" size={7} /> Unknown, never seen</span>
      <span className="text-fg3">ring = share of region, size = devices</span>
      {placeless > 0 && <span className="text-fg3">{plural(placeless, 'device')} without a place</span>}
    </div>
  );
}

/** Regions on a map of the world; marks never overlap, one with an incident stays on its place. */
export function WorldMap({ regions, onOpen, focus, className = '' }: Props) {
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useTheme();
  const zoom = useZoom(canvas, width, height);
  const { x, y, k: scale } = zoom.transform;
  const [hovered, setHovered] = useState<string | null>(null);

  const projection = useMemo(() => (width > 0 ? projectionFor(width, height) : null), [width, height]);
  const land = useMemo(() => (projection ? landPath(projection) : null), [projection]);
  const { marks, placeless } = useMemo(() => {
    if (!projection) return { marks: [], placeless: 0 };
    const all = marksOf(regions, (lon, lat) => {
      const at = projection([lon, lat]);
      return at && [at[0] * scale + x, at[1] * scale + y];
    }, Math.min(1, Math.max(0.6, width / fullSizeFrom_px)));
    const seen = all.filter((mark) => mark.x > -30 && mark.y > -30 && mark.x < width + 30 && mark.y < height + 30);
    return { marks: place(seen), placeless: unplaced(regions, all) };
  }, [regions, projection, scale, x, y, width, height]);

  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context || !land) return;
    const draw = () => drawMap(context, land, { width, height, scale, x, y }, marks, hovered);
    const frame = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(frame);
  }, [land, width, height, scale, x, y, marks, hovered, theme]);

  const focused = useRef<string | null>(null);
  useEffect(() => {
    const region = regions.find((candidate) => candidate.region === focus);
    if (!projection || !focus || focused.current === focus || region?.lat == null || region.lon == null) return;
    const at = projection([region.lon, region.lat]);
    focused.current = focus;
    if (at) zoom.to(at[0], at[1], focusScale);
  }, [projection, focus, regions, zoom]);

  const markAt = (event: React.MouseEvent): Placed<Mark> | undefined => {
    const bounds = event.currentTarget.getBoundingClientRect();
    const [px, py] = [event.clientX - bounds.left, event.clientY - bounds.top];
    return marks.find((mark) => Math.hypot(mark.placedX - px, mark.placedY - py) <= mark.radius + 2);
  };
  const shown = marks.find((mark) => mark.id === hovered);
  const ratio = window.devicePixelRatio || 1;
  const inTrouble = useMemo(() => [...marks].sort((a, b) => b.region.offline_share - a.region.offline_share), [marks]);

  return (
    <div ref={box} className={`relative min-h-0 overflow-hidden rounded-b-[9px] ${className}`}>
      <canvas
        ref={canvas}
        width={width * ratio}
        height={height * ratio}
        style={{ width, height, cursor: shown ? 'pointer' : 'default' }}
        className="absolute inset-0"
        role="img"
        aria-label={`Map of ${plural(marks.length, 'region')}. The list after it has the same content.`}
        onMouseMove={(event) => setHovered(markAt(event)?.id ?? null)}
        onMouseLeave={() => setHovered(null)}
        onClick={(event) => {
          const mark = markAt(event);
          if (mark) onOpen(mark.id);
        }}
      />
      <ul className="sr-only" aria-label="Regions on the map, worst first">
        {inTrouble.map(({ id, region }) => (
          <li key={id}>
            <button type="button" onClick={() => onOpen(id)} onFocus={() => setHovered(id)} onBlur={() => setHovered(null)}>
              {regionPath(id)}: {integer(region.counts.total)} devices, {percent(region.offline_share)} offline
              {region.incident ? ', open incident' : ''}
            </button>
          </li>
        ))}
      </ul>
      <Legend placeless={placeless} />
      <div className="absolute right-2.5 bottom-2.5 flex flex-col overflow-hidden rounded-control border border-line2 bg-panel">
        <button type="button" className="grid size-6.5 cursor-pointer place-items-center hover:bg-raise" aria-label="Zoom in" onClick={() => zoom.by(1.8)}>
          <Plus size={13} />
        </button>
        <button type="button" className="grid size-6.5 cursor-pointer place-items-center border-t border-line2 hover:bg-raise" aria-label="Zoom out" onClick={() => zoom.by(1 / 1.8)}>
          <Minus size={13} />
        </button>
        {scale > 1 && (
          <button type="button" className="grid size-6.5 cursor-pointer place-items-center border-t border-line2 hover:bg-raise" aria-label="Show the whole world" onClick={zoom.reset}>
            <RotateCcw size={12} />
          </button>
        )}
      </div>
      {shown && (
        <div className="pointer-events-none absolute z-10" style={cardPosition(shown, width, height)}>
          <RegionCard region={shown.region} />
        </div>
      )}
    </div>
  );
}
