import { createHashHistory, createRootRoute, createRoute, createRouter, lazyRouteComponent, Link, type RouterHistory } from '@tanstack/react-router';
import { Shell } from './components/Shell';
import { Empty, Failed, Loading } from './components/States';
import { parseDeviceFilter } from './pages/deviceFilter';

const pages = {
  overview: () => import('./pages/Overview'),
  devices: () => import('./pages/Devices'),
  device: () => import('./pages/device/DevicePage'),
  incidents: () => import('./pages/Incidents'),
  incident: () => import('./pages/IncidentPage'),
  live: () => import('./pages/LiveEvents'),
  cluster: () => import('./pages/Cluster'),
};
const parts = [() => import('./components/Palette'), () => import('./map/WorldMap')];

/** Fetches the code of all pages, so that a page can still be opened when the server has gone away. */
export async function preloadPages(): Promise<void> {
  await Promise.allSettled([...Object.values(pages), ...parts].map((load) => load()));
}

// Pages live behind # in the address: any file server can hold the dashboard, also under a path prefix.

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <div className="panel">
      <Empty title="There is no such page">
        <Link to="/" className="link underline underline-offset-3">
          Go to the overview
        </Link>
      </Empty>
    </div>
  ),
});

const overview = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: lazyRouteComponent(pages.overview, 'Overview'),
});
const devices = createRoute({
  getParentRoute: () => root,
  path: '/devices',
  validateSearch: parseDeviceFilter,
  component: lazyRouteComponent(pages.devices, 'Devices'),
});
const device = createRoute({
  getParentRoute: () => root,
  path: '/devices/$id',
  component: lazyRouteComponent(pages.device, 'DevicePage'),
});
const incidents = createRoute({
  getParentRoute: () => root,
  path: '/incidents',
  component: lazyRouteComponent(pages.incidents, 'Incidents'),
});
const incident = createRoute({
  getParentRoute: () => root,
  path: '/incidents/$id',
  component: lazyRouteComponent(pages.incident, 'IncidentPage'),
});
const live = createRoute({
  getParentRoute: () => root,
  path: '/live',
  component: lazyRouteComponent(pages.live, 'LiveEvents'),
});
const cluster = createRoute({
  getParentRoute: () => root,
  path: '/cluster',
  component: lazyRouteComponent(pages.cluster, 'Cluster'),
});

const routeTree = root.addChildren([overview, devices, device, incidents, incident, live, cluster]);

/** Plain `?state=offline&q=0042`: text stays text, so that an id prefix of digits keeps its zeros. */
const parseSearch = (text: string): Record<string, string> => Object.fromEntries(new URLSearchParams(text));

function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== '') params.set(name, String(value));
  }
  const text = params.toString();
  return text ? `?${text}` : '';
}

export const makeRouter = (history: RouterHistory = createHashHistory()) =>
  createRouter({
    routeTree,
    history,
    parseSearch,
    stringifySearch,
    defaultPendingComponent: () => <Loading rows={6} className="panel" />,
    defaultErrorComponent: ({ error, reset }) => (
      <div className="panel">
        <Failed what="This page broke" error={error} retry={reset} />
      </div>
    ),
    scrollRestoration: true,
  });

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
