/** The share at which a cell is as red as it gets: the threshold of the region rule. */
export const heatFull = 0.1;

/** A cell's colour: nothing is quiet, half of the threshold is amber, the threshold and above is red. */
export function heatColour(share: number | null): string {
  if (share === null) return 'transparent';
  const part = Math.min(1, share / heatFull);
  // The usual one or two per cent stay close to nothing.
  if (part <= 0.5) return `color-mix(in oklab, var(--warn-fill) ${Math.round((part * 2) ** 1.7 * 100)}%, var(--raise))`;
  return `color-mix(in oklab, var(--bad-fill) ${Math.round((part - 0.5) * 2 * 100)}%, var(--warn-fill))`;
}

/** Fewer, wider cells, each as bad as the worst that it covers: a short outage must not average away. */
export function worstOf(values: (number | null)[], cells: number): (number | null)[] {
  if (values.length <= cells) return values;
  return Array.from({ length: cells }, (_, cell) => {
    const from = Math.floor((cell * values.length) / cells);
    const to = Math.floor(((cell + 1) * values.length) / cells);
    const known = values.slice(from, to).filter((value) => value !== null);
    return known.length ? Math.max(...known) : null;
  });
}
