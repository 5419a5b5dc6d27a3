// Puts circles on the map so that no two overlap, each as near to its own place as it can be.

export interface Circle {
  id: string;
  x: number;
  y: number;
  radius: number;
  /** Goes first: it gets its true place unless another pinned one holds it already. */
  pinned: boolean;
}

export type Placed<T extends Circle> = T & { placedX: number; placedY: number };

const gap = 2;
const ringStep = 3;
const stepAlongRing = 5;

const free = (x: number, y: number, radius: number, taken: Placed<Circle>[]): boolean =>
  taken.every((other) => Math.hypot(x - other.placedX, y - other.placedY) >= radius + other.radius + gap);

/** The nearest free spot on rings around the true place. Far enough out there always is one, so this ends. */
function nearestFree(circle: Circle, taken: Placed<Circle>[]): [number, number] {
  if (free(circle.x, circle.y, circle.radius, taken)) return [circle.x, circle.y];
  for (let distance = ringStep; ; distance += ringStep) {
    const steps = Math.ceil((2 * Math.PI * distance) / stepAlongRing);
    for (let step = 0; step < steps; step++) {
      const angle = (step / steps) * 2 * Math.PI;
      const x = circle.x + distance * Math.cos(angle);
      const y = circle.y + distance * Math.sin(angle);
      if (free(x, y, circle.radius, taken)) return [x, y];
    }
  }
}

/** Pinned ones first, then the largest; the same input gives the same picture, so marks do not jump from tick to tick. */
export function place<T extends Circle>(circles: T[]): Placed<T>[] {
  const order = [...circles].sort(
    (a, b) => Number(b.pinned) - Number(a.pinned) || b.radius - a.radius || (a.id < b.id ? -1 : 1),
  );
  const placed: Placed<T>[] = [];
  for (const circle of order) {
    const [placedX, placedY] = nearestFree(circle, placed);
    placed.push({ ...circle, placedX, placedY });
  }
  return placed;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

const touches = (box: Box, circle: Placed<Circle>): boolean => {
  const x = Math.max(box.x, Math.min(circle.placedX, box.x + box.width));
  const y = Math.max(box.y, Math.min(circle.placedY, box.y + box.height));
  return Math.hypot(circle.placedX - x, circle.placedY - y) < circle.radius + 1;
};

const cross = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** Room for a label beside its mark: left, right, below, above; null when marks or labels are in the way everywhere. */
export function placeLabel(
  mark: Placed<Circle>, width: number, height: number, marks: Placed<Circle>[], labels: Box[], bounds: Box,
): Box | null {
  const { placedX: x, placedY: y, radius } = mark;
  const away = radius + 6;
  const candidates: Box[] = [
    { x: x - away - width, y: y - height / 2, width, height },
    { x: x + away, y: y - height / 2, width, height },
    { x: x - width / 2, y: y + away, width, height },
    { x: x - width / 2, y: y - away - height, width, height },
  ];
  const inside = (box: Box) =>
    box.x >= bounds.x && box.y >= bounds.y && box.x + box.width <= bounds.x + bounds.width && box.y + box.height <= bounds.y + bounds.height;
  return (
    candidates.find(
      (box) => inside(box) && !labels.some((other) => cross(box, other)) && !marks.some((other) => other !== mark && touches(box, other)),
    ) ?? null
  );
}
