import type { Region } from '../api/types';
import type { Circle } from './placement';

export interface Mark extends Circle {
  region: Region;
}

type Project = (lon: number, lat: number) => [number, number] | null;

/** While there are at most this many leaves, all are shown, near to each other or not. */
const showAllLeavesUpTo = 40;
/** A region is divided once its parts lie this far apart on screen, times the root of their number. */
const apart_px = 14;

const radiusLeast = 8;
const radiusMost = 21;
const radiusPinnedLeast = 14;

interface Node {
  region: Region;
  children: Node[];
}

function forest(regions: Region[]): Node[] {
  const nodes = new Map(regions.map((region) => [region.region, { region, children: [] as Node[] }]));
  const roots: Node[] = [];
  for (const node of nodes.values()) {
    const parent = nodes.get(node.region.parent);
    (parent ? parent.children : roots).push(node);
  }
  return roots;
}

const hasPlace = (region: Region): boolean => region.lat !== null && region.lon !== null;

/** Where a region is on screen: its own place, else the middle of its parts, weighted by their devices. */
function placeOf(node: Node, project: Project): [number, number] | null {
  if (hasPlace(node.region)) return project(node.region.lon as number, node.region.lat as number);
  let [x, y, weight] = [0, 0, 0];
  for (const child of node.children) {
    const at = placeOf(child, project);
    const devices = Math.max(1, child.region.counts.total);
    if (at) [x, y, weight] = [x + at[0] * devices, y + at[1] * devices, weight + devices];
  }
  return weight > 0 ? [x / weight, y / weight] : null;
}

const hasIncidentBelow = (node: Node): boolean =>
  node.children.some((child) => child.region.incident !== null || hasIncidentBelow(child));

function liesApart(places: ([number, number] | null)[]): boolean {
  const known = places.filter((at) => at !== null);
  if (known.length < 2) return true;
  const xs = known.map((at) => at[0]);
  const ys = known.map((at) => at[1]);
  const diagonal = Math.hypot(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
  return diagonal >= apart_px * Math.sqrt(known.length);
}

function radiusOf(region: Region, largest: number, size: number): number {
  const scale = largest > 0 ? Math.sqrt(region.counts.total / largest) : 0;
  const radius = (radiusLeast + (radiusMost - radiusLeast) * scale) * size;
  return region.incident ? Math.max(radius, radiusPinnedLeast) : radius;
}

/**
 * The regions to draw at this zoom: no region together with a part of it, all devices that have a place counted once.
 * A region falls into its parts when there is room for them, or when one of them has an incident.
 * `size` makes all marks smaller on a small map.
 */
export function marksOf(regions: Region[], project: Project, size = 1): Mark[] {
  const leaves = regions.filter((region) => region.leaf).length;
  const marks: Mark[] = [];
  const visit = (node: Node) => {
    const places = node.children.map((child) => placeOf(child, project));
    const divisible = node.children.length > 0 && places.every((at) => at !== null);
    const wanted = leaves <= showAllLeavesUpTo || hasIncidentBelow(node) || liesApart(places);
    if (divisible && wanted) {
      node.children.forEach(visit);
      return;
    }
    const at = placeOf(node, project);
    if (!at || node.region.counts.total === 0) return;
    marks.push({ id: node.region.region, x: at[0], y: at[1], radius: 0, pinned: node.region.incident !== null, region: node.region });
  };
  forest(regions).forEach(visit);
  const largest = Math.max(0, ...marks.map((mark) => mark.region.counts.total));
  for (const mark of marks) mark.radius = radiusOf(mark.region, largest, size);
  return marks;
}

/** Devices that no mark stands for, because neither their region nor a wider one has a place. */
export function unplaced(regions: Region[], marks: Mark[]): number {
  const all = regions.filter((region) => region.depth === 1).reduce((sum, region) => sum + region.counts.total, 0);
  return Math.max(0, all - marks.reduce((sum, mark) => sum + mark.region.counts.total, 0));
}
