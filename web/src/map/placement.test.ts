import { describe, expect, test } from 'vitest';
import { place, placeLabel, type Circle } from './placement';

/** Small and seeded: the same marks in every run. */
function random(seed: number) {
  let state = seed;
  return () => (state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296) / 4_294_967_296;
}

function scattered(count: number, seed: number, spread = 600): Circle[] {
  const next = random(seed);
  return Array.from({ length: count }, (_, index) => ({
    id: `r${index}`, x: next() * spread, y: next() * spread * 0.5, radius: 8 + next() * 13, pinned: index % 17 === 0,
  }));
}

function overlaps(circles: ReturnType<typeof place>): number {
  let count = 0;
  circles.forEach((a, index) => {
    for (const b of circles.slice(index + 1)) {
      if (Math.hypot(a.placedX - b.placedX, a.placedY - b.placedY) < a.radius + b.radius) count++;
    }
  });
  return count;
}

describe('marks', () => {
  test.each([1, 2, 3, 4, 5])('never overlap (seed %d)', (seed) => expect(overlaps(place(scattered(122, seed)))).toBe(0));

  test('never overlap when all are at one place', () => {
    const heap = scattered(60, 9).map((circle) => ({ ...circle, x: 300, y: 150 }));
    expect(overlaps(place(heap))).toBe(0);
  });

  test('with an incident stay on their place', () => {
    const others = scattered(80, 3).map((circle) => ({ ...circle, pinned: false }));
    const [pinned] = place([...others, { id: 'incident', x: 300, y: 150, radius: 14, pinned: true }]).filter((circle) => circle.id === 'incident');
    expect([pinned?.placedX, pinned?.placedY]).toEqual([300, 150]);
  });

  test('with room stay on their place', () => {
    const apart: Circle[] = [{ id: 'a', x: 0, y: 0, radius: 10, pinned: false }, { id: 'b', x: 100, y: 0, radius: 10, pinned: false }];
    for (const circle of place(apart)) expect([circle.placedX, circle.placedY]).toEqual([circle.x, circle.y]);
  });

  test('are placed the same way whatever the order of the list', () => {
    const circles = scattered(50, 4);
    const byId = (list: ReturnType<typeof place>) => Object.fromEntries(list.map((circle) => [circle.id, [circle.placedX, circle.placedY]]));
    expect(byId(place([...circles].reverse()))).toEqual(byId(place(circles)));
  });
});

describe('a label', () => {
  const bounds = { x: 0, y: 0, width: 400, height: 200 };
  const [mark] = place([{ id: 'm', x: 200, y: 100, radius: 14, pinned: true }]);
  if (!mark) throw new Error('not placed');

  test('lies left of its mark when there is room', () => expect(placeLabel(mark, 60, 18, [mark], [], bounds)?.x).toBe(200 - 14 - 6 - 60));

  test('goes to another side when a mark is in the way', () => {
    const both = place([mark, { id: 'n', x: 150, y: 100, radius: 14, pinned: false }]);
    expect(placeLabel(mark, 60, 18, both.map((circle) => (circle.id === 'm' ? mark : circle)), [], bounds)?.x).toBe(200 + 14 + 6);
  });

  test('is left out when nothing is free', () => expect(placeLabel(mark, 60, 18, [mark], [bounds], bounds)).toBeNull());
});
