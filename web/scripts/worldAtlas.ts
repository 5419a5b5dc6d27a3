import { quantize } from 'topojson-client';
import type { Arc, GeometryObject, Topology } from 'topojson-specification';
import type { Plugin } from 'vite';

// Makes the bundled world smaller (38 → 24 KiB gzip): countries only, without names, at the precision that the map shows.

/** Steps across the world: 0.036°, under 2 px at the map's greatest zoom. */
const steps = 10_000;

type Atlas = Topology & { transform: NonNullable<Topology['transform']> };

function absolute({ arcs, transform: { scale, translate } }: Atlas): Arc[] {
  return arcs.map((arc) => {
    let [x, y] = [0, 0];
    return arc.map(([dx = 0, dy = 0]) => {
      [x, y] = [x + dx, y + dy];
      return [x * scale[0] + translate[0], y * scale[1] + translate[1]];
    });
  });
}

export function slimWorld(text: string): string {
  const atlas = JSON.parse(text) as Atlas;
  const countries = atlas.objects.countries;
  if (countries?.type !== 'GeometryCollection') throw new Error('the world atlas has no countries');
  const geometries = countries.geometries.map(({ properties: _, ...shape }) => shape) as GeometryObject<object>[];
  const slim: Topology<Record<string, GeometryObject<object>>> = { type: 'Topology', arcs: absolute(atlas), objects: { countries: { type: 'GeometryCollection', geometries } } };
  return JSON.stringify(quantize(slim, steps));
}

export const worldAtlas = (): Plugin => ({
  name: 'world-atlas',
  enforce: 'pre',
  transform: (code, id) => (/world-atlas[\\/]countries-110m\.json$/.test(id) ? { code: slimWorld(code), map: null } : null),
});
