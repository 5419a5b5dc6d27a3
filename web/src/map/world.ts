import { geoMercator, geoPath, type GeoProjection } from 'd3-geo';
import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import atlas from 'world-atlas/countries-110m.json';

const topology = atlas as unknown as Topology<{ countries: GeometryCollection }>;
const antarctica = '010'; // Mercator would stretch it over half of the picture

const countries = {
  type: 'FeatureCollection' as const,
  features: feature(topology, topology.objects.countries).features.filter((country) => country.id !== antarctica),
};

/** Where people live, and so devices. */
const inhabited = { west: -169, east: 189.9, south: -54, north: 72 };
/** A wide picture may cut this much of the far north and south rather than stand between empty margins. */
const cropMost = 1.3;

const radians = (degrees: number): number => (degrees * Math.PI) / 180;
const mercatorY = (latitude: number): number => Math.log(Math.tan(Math.PI / 4 + radians(latitude) / 2));

export function projectionFor(width: number, height: number): GeoProjection {
  const { west, east, south, north } = inhabited;
  const across = width / radians(east - west);
  const down = height / (mercatorY(north) - mercatorY(south));
  const scale = Math.min(across, down * cropMost);
  const middle = (west + east) / 2;
  const centreY = (mercatorY(north) + mercatorY(south)) / 2;
  return geoMercator()
    .rotate([-middle, 0])
    .scale(scale)
    .translate([width / 2, height / 2 + centreY * scale]);
}

/** All land, once a size; zooming only moves and scales it. */
export function landPath(projection: GeoProjection): Path2D {
  const path = new Path2D();
  geoPath(projection, path as unknown as CanvasRenderingContext2D)(countries);
  return path;
}
