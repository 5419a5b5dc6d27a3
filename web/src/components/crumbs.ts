/** One step of the way to a page; without `to` it is the page itself. */
export interface Crumb {
  text: string;
  to?: '/devices' | '/incidents';
  mono?: boolean;
}

const pages: Record<string, string> = {
  '': 'Overview',
  devices: 'Devices',
  incidents: 'Incidents',
  live: 'Live events',
  cluster: 'Cluster',
};

export function crumbsOf(path: string): Crumb[] {
  const [page = '', id] = path.replace(/^\//, '').split('/');
  const text = pages[page] ?? 'Not found';
  if (id && (page === 'devices' || page === 'incidents')) {
    return [{ text, to: `/${page}` }, { text: decodeURIComponent(id), mono: true }];
  }
  return [{ text }];
}
