import { createMemoryHistory } from '@tanstack/react-router';
import { render } from '@testing-library/react';
import { vi } from 'vitest';
import { signIn } from '../api/token';
import type { Problem } from '../api/types';
import { App, makeQueryClient } from '../App';
import { makeRouter } from '../router';
import * as fixture from './fixtures';
import { fakeLive } from './socket';

/** What an address answers: a body, or a problem. */
export type Answer = unknown | { problem: Problem };
export type Answers = Record<string, Answer | ((url: URL, init: RequestInit) => Answer)>;

const id = '/api/v1/devices/ka-0417-88240c';

export const answers: Answers = {
  '/api/v1/fleet': fixture.fleet(),
  '/api/v1/fleet/series': { step_s: 10, series: [] },
  '/api/v1/regions': { time: fixture.time, regions: [fixture.region('in', { leaf: false }), fixture.region('in/karnataka', { incident: 'inc-7', offline_share: 0.143 })] },
  '/api/v1/regions/series': { step_s: 60, times: [fixture.time - 60_000, fixture.time], regions: [{ region: 'in/karnataka', offline_share: [0.01, 0.143] }] },
  '/api/v1/alerts': { alerts: [fixture.incident()] },
  '/api/v1/alerts/inc-7': fixture.incident(),
  '/api/v1/devices': { devices: [fixture.device()], next_cursor: null, matched: 1 },
  [id]: fixture.device(),
  [`${id}/history`]: { from: fixture.time - 3_600_000, to: fixture.time, resolution: 'raw', step_ms: 0, damaged_chunks: 0, series: [{ metric: 'battery', unit: '%', completeness: 1, points: [[fixture.time, 66, 66, 66, 1, 1]] }] },
  [`${id}/transitions`]: { transitions: [fixture.transition(fixture.time - 60_000, 'online')], next_cursor: null },
  [`${id}/explain`]: fixture.explanation(),
  [`${id}/forecast`]: { metric: 'battery', state: 'draining', time: fixture.time, value: 66, per_day: -5.5, days: 12, days_low: 10, days_high: 14.6 },
  [`${id}/shadow`]: fixture.shadow(),
  [`${id}/commands`]: { commands: [fixture.command()] },
  '/readyz': { reasons: [] },
};

function respond(answer: Answer): Response {
  const problem = (answer as { problem?: Problem }).problem;
  const type = problem ? 'application/problem+json' : 'application/json';
  return new Response(JSON.stringify(problem ?? answer), { status: problem?.status ?? 200, headers: { 'content-type': type } });
}

/** The whole dashboard at an address, against a stubbed server; `live` is the server's side of the WebSocket. */
export function renderPage(path: string, changed: Answers = {}) {
  const table = { ...answers, ...changed };
  const requests: { method: string; url: URL; body: unknown }[] = [];
  vi.stubGlobal('fetch', async (input: string | URL, init: RequestInit = {}) => {
    const url = new URL(input);
    requests.push({ method: init.method ?? 'GET', url, body: typeof init.body === 'string' ? JSON.parse(init.body) : undefined });
    const answer = table[url.pathname];
    if (answer === undefined) return respond({ problem: { type: 'about:blank', title: 'Not found', status: 404 } });
    return respond(typeof answer === 'function' ? answer(url, init) : answer);
  });
  signIn('T');
  const live = fakeLive();
  const queries = makeQueryClient();
  queries.setDefaultOptions({ queries: { ...queries.getDefaultOptions().queries, retry: false } });
  const router = makeRouter(createMemoryHistory({ initialEntries: [path] }));
  const view = render(<App live={live.store} queries={queries} router={router} />);
  return { ...view, live, requests, router };
}
