import { select } from 'd3-selection';
import { zoom, zoomIdentity, type D3ZoomEvent, type ZoomBehavior, type ZoomTransform } from 'd3-zoom';
import { useEffect, useRef, useState } from 'react';

export const zoomMost = 24;

/**
 * Drag, pinch, double click and Ctrl + wheel. A bare wheel and one finger scroll the page as everywhere else
 * (one finger moves the map once it is zoomed in).
 */
function wanted(event: Event & { ctrlKey?: boolean; metaKey?: boolean; button?: number; touches?: TouchList }, scale: number): boolean {
  if (event.type === 'wheel') return Boolean(event.ctrlKey || event.metaKey);
  if (event.touches) return event.touches.length > 1 || scale > 1;
  return !event.button;
}

export interface Zoom {
  transform: ZoomTransform;
  by(factor: number): void;
  to(x: number, y: number, scale: number): void;
  reset(): void;
}

export function useZoom(canvas: React.RefObject<HTMLCanvasElement | null>, width: number, height: number): Zoom {
  const [transform, setTransform] = useState<ZoomTransform>(zoomIdentity);
  const behaviour = useRef<ZoomBehavior<HTMLCanvasElement, unknown> | null>(null);

  useEffect(() => {
    const element = canvas.current;
    if (!element || width === 0) return;
    let scale = 1;
    const zooming = zoom<HTMLCanvasElement, unknown>()
      .scaleExtent([1, zoomMost])
      .extent([[0, 0], [width, height]])
      .translateExtent([[0, 0], [width, height]])
      .filter((event: Event) => wanted(event, scale))
      .on('zoom', (event: D3ZoomEvent<HTMLCanvasElement, unknown>) => {
        scale = event.transform.k;
        element.style.touchAction = scale > 1 ? 'none' : 'pan-y';
        setTransform(event.transform);
      });
    behaviour.current = zooming;
    element.style.touchAction = 'pan-y';
    select(element).call(zooming);
    return () => {
      select(element).on('.zoom', null);
    };
  }, [canvas, width, height]);

  const apply = (act: (zooming: ZoomBehavior<HTMLCanvasElement, unknown>, element: HTMLCanvasElement) => void) => {
    if (canvas.current && behaviour.current) act(behaviour.current, canvas.current);
  };
  return {
    transform,
    by: (factor) => apply((zooming, element) => zooming.scaleBy(select(element), factor)),
    to: (x, y, scale) =>
      apply((zooming, element) =>
        zooming.transform(select(element), zoomIdentity.translate(width / 2 - x * scale, height / 2 - y * scale).scale(scale)),
      ),
    reset: () => apply((zooming, element) => zooming.transform(select(element), zoomIdentity)),
  };
}
