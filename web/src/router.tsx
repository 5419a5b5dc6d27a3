import { createHashHistory, createRootRoute, createRoute, createRouter, lazyRouteComponent, Link, type RouterHistory } from '@tanstack/react-router';
import { Shell } from './components/Shell';
import { Empty, Failed, Loading } from './components/States';
import { parseDeviceFilter } from './pages/deviceFilter';

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
  component: lazyRouteComponent(() => import('./pages/Overview'), 'Overview'),
});
const devices = createRoute({
  getParentRoute: () => root,
  path: '/devices',
  validateSearch: parseDeviceFilter,
  component: lazyRouteComponent(() => import('./pages/Devices'), 'Devices'),
});
const device = createRoute({
  getParentRoute: () => root,
  path: '/devices/$id',
  component: lazyRouteComponent(() => import('./pages/device/DevicePage'), 'DevicePage'),
});
const incidents = createRoute({
  getParentRoute: () => root,
  path: '/incidents',
  component: lazyRouteComponent(() => import('./pages/Incidents'), 'Incidents'),
});
const incident = createRoute({
  getParentRoute: () => root,
  path: '/incidents/$id',
  component: lazyRouteComponent(() => import('./pages/IncidentPage'), 'IncidentPage'),
});
const live = createRoute({
  getParentRoute: () => root,
  path: '/live',
  component: lazyRouteComponent(() => import('./pages/LiveEvents'), 'LiveEvents'),
});
const cluster = createRoute({
  getParentRoute: () => root,
  path: '/cluster',
  component: lazyRouteComponent(() => import('./pages/Cluster'), 'Cluster'),
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
