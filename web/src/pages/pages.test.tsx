import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import * as fixture from '../testing/fixtures';
import { renderPage } from '../testing/renderPage';

const problem = (status: number, title: string, detail: string) => ({ problem: { type: 'about:blank', title, status, detail } });
const deviceAddress = '/devices/ka-0417-88240c';
const deviceApi = '/api/v1/devices/ka-0417-88240c';

describe('overview', () => {
  test('shows the fleet, the open incident and the worst region', async () => {
    renderPage('/');
    const health = await screen.findByRole('region', { name: 'Fleet health' });
    expect(await within(health).findByText('96.00')).toBeTruthy();
    expect(within(health).getByRole('img', { name: '960 online, 30 offline, 4 unknown, 6 never seen' })).toBeTruthy();
    expect(await screen.findByText('Karnataka mass disconnect')).toBeTruthy();
    expect((await screen.findAllByText('14.3%')).length).toBeGreaterThan(0);
  });

  test('follows the stream', async () => {
    const { live } = renderPage('/');
    await screen.findByText('96.00');
    act(() => {
      live.socket().open();
      live.socket().say({ type: 'fleet', data: fixture.fleet({ time: fixture.time + 1000, counts: fixture.counts({ online: 970, offline: 20 }) }) });
      live.socket().say({ type: 'changes', data: [fixture.change('ng-1')], sampled: 20, rate: 212 });
    });
    expect(await screen.findByText('97.00')).toBeTruthy();
    expect(await screen.findByRole('link', { name: 'ng-1' })).toBeTruthy();
    expect(screen.getByText('212/s · 1 of 20 shown')).toBeTruthy();
  });

  test('says so when the pipeline stands still', async () => {
    const { live } = renderPage('/', { '/api/v1/fleet': fixture.fleet({ stale: true }) });
    await screen.findByText('96.00');
    act(() => live.socket().open());
    expect(await screen.findByText('The pipeline stands still.')).toBeTruthy();
  });

  test('tells how to connect a first device when there is none', async () => {
    renderPage('/', { '/api/v1/fleet': fixture.fleet({ counts: fixture.counts({ total: 0, online: 0, offline: 0, unknown: 0, never_seen: 0 }) }) });
    expect(await screen.findByText('Connect your first device')).toBeTruthy();
  });

  test('shows the fleet as it was where the slider is put', async () => {
    const { requests } = renderPage('/', {
      '/api/v1/fleet': (url: URL) => (url.searchParams.has('at') ? fixture.pastFleet() : fixture.fleet()),
    });
    const panel = await screen.findByRole('region', { name: 'Fleet at' });
    expect(requests.some(({ url }) => url.searchParams.has('at'))).toBe(false);
    fireEvent.change(within(panel).getByRole('slider', { name: 'Time' }), { target: { value: '0.5' } });
    expect(await within(panel).findByText('90.00%')).toBeTruthy();
    expect(within(panel).getByText('· +60 online since')).toBeTruthy();
    expect(within(panel).getByRole('link', { name: 'in/karnataka 60.0%' })).toBeTruthy();
    const asked = requests.filter(({ url }) => url.searchParams.has('at'));
    expect(asked).toHaveLength(1);
    const back_ms = Date.now() - Number(asked[0]?.url.searchParams.get('at'));
    expect(Math.abs(back_ms - 43_200_000)).toBeLessThan(60_000);
  });

  test('says how far back the presence history reaches', async () => {
    renderPage('/', {
      '/api/v1/fleet': (url: URL) =>
        url.searchParams.has('at') ? problem(404, 'Not found', 'the presence history does not reach back so far: it begins at 2026-03-14T00:00:00Z') : fixture.fleet(),
    });
    const panel = await screen.findByRole('region', { name: 'Fleet at' });
    fireEvent.change(within(panel).getByRole('slider', { name: 'Time' }), { target: { value: '0' } });
    expect((await within(panel).findByRole('alert')).textContent).toContain('it begins at 2026-03-14');
  });

  test('shows what failed and lets one ask again', async () => {
    let broken = true;
    renderPage('/', { '/api/v1/fleet': () => (broken ? problem(503, 'Not ready', 'The store is restoring') : fixture.fleet()) });
    const alert = (await screen.findAllByRole('alert')).find((element) => element.textContent?.includes('The store is restoring'));
    broken = false;
    fireEvent.click(within(alert as HTMLElement).getByRole('button', { name: 'Retry' }));
    expect(await screen.findByText('96.00')).toBeTruthy();
  });
});

describe('devices', () => {
  test('asks for what the address says', async () => {
    const { requests } = renderPage('/devices?state=offline&region=in%2Fkarnataka&q=0042');
    expect(await screen.findByRole('link', { name: 'ka-0417-88240c' })).toBeTruthy();
    const asked = requests.find((request) => request.url.pathname === '/api/v1/devices');
    expect(Object.fromEntries(asked?.url.searchParams ?? [])).toEqual({ state: 'offline', region: 'in/karnataka', q: '0042', limit: '100' });
  });

  test('puts the filter into the address', async () => {
    const { router } = renderPage('/devices');
    fireEvent.click(await screen.findByRole('button', { name: /^Offline/ }));
    await waitFor(() => expect(router.state.location.search).toEqual({ state: 'offline' }));
  });

  test('fetches the next page as the end comes near', async () => {
    const page = (from: number, next: string | null) => ({
      devices: Array.from({ length: 40 }, (_, index) => fixture.device({ id: `d${from + index}` })), next_cursor: next, matched: 80,
    });
    const { requests } = renderPage('/devices', { '/api/v1/devices': (url: URL) => (url.searchParams.get('cursor') ? page(40, null) : page(0, 'c1')) });
    await waitFor(() => expect(requests.some((request) => request.url.searchParams.get('cursor') === 'c1')).toBe(true));
    expect(await screen.findByText('80 devices')).toBeTruthy();
  });

  test('says that nothing matches', async () => {
    renderPage('/devices?q=zz', { '/api/v1/devices': { devices: [], next_cursor: null, matched: 0 } });
    expect(await screen.findByText('No device matches')).toBeTruthy();
  });
});

describe('device', () => {
  test('shows state, telemetry, commands, shadow and events', async () => {
    renderPage(deviceAddress);
    const head = await screen.findByRole('region', { name: 'Device' });
    expect(within(head).getByText('Online')).toBeTruthy();
    expect(within(head).getByText('Flapping')).toBeTruthy();
    expect(await screen.findByRole('heading', { name: 'Battery' })).toBeTruthy();
    expect(await screen.findByText('Succeeded')).toBeTruthy();
    expect(await screen.findByText('1 key waiting for the device')).toBeTruthy();
    expect(await screen.findByRole('table')).toBeTruthy();
  });

  test('says why the device is what it is, and shows the evidence when asked', async () => {
    renderPage(deviceAddress);
    expect(await screen.findByText(/because it connected/)).toBeTruthy();
    expect(screen.queryByText('It is damped as flapping.')).toBeNull();
    fireEvent.click(screen.getByRole('button', { name: 'Show the evidence' }));
    expect(await screen.findByText('The last sign of life came 4 s ago: a message.')).toBeTruthy();
    expect(screen.getByText('It is damped as flapping.')).toBeTruthy();
    expect(screen.queryByText('It went online.')).toBeNull();
  });

  test('sends a command after it was confirmed', async () => {
    const { requests } = renderPage(deviceAddress);
    fireEvent.click(await screen.findByRole('button', { name: 'Reboot' }));
    expect(requests.some((request) => request.method === 'POST')).toBe(false);
    fireEvent.click(await screen.findByRole('button', { name: 'Reboot device' }));
    await waitFor(() => expect(requests.some((request) => request.method === 'POST')).toBe(true));
    const sent = requests.find((request) => request.method === 'POST');
    expect(sent?.body).toMatchObject({ name: 'reboot', parameters: {}, expires_in_s: 300, idempotency_key: expect.stringMatching(/^[0-9a-f]{32}$/) });
  });

  test('sends only the facts that were changed', async () => {
    const { requests } = renderPage(deviceAddress);
    fireEvent.click(await screen.findByRole('button', { name: /Edit region/ }));
    fireEvent.change(await screen.findByLabelText(/Region/), { target: { value: 'in/kerala' } });
    fireEvent.click(screen.getByRole('button', { name: 'Save' }));
    await waitFor(() => expect(requests.find((request) => request.method === 'PUT')?.body).toEqual({ region: 'in/kerala' }));
  });

  test('names the role that a command needs', async () => {
    renderPage(deviceAddress, {
      [`${deviceApi}/commands`]: (_: URL, init: RequestInit) => (init.method === 'POST' ? problem(403, 'Forbidden', 'no') : { commands: [] }),
    });
    fireEvent.click(await screen.findByRole('button', { name: 'Reboot' }));
    fireEvent.click(await screen.findByRole('button', { name: 'Reboot device' }));
    expect(await screen.findByText(/operator role/)).toBeTruthy();
  });

  test('sends only what was changed of the desired state, against its version', async () => {
    const { requests } = renderPage(deviceAddress);
    fireEvent.click(await screen.findByRole('button', { name: 'Edit' }));
    fireEvent.change(await screen.findByLabelText('Desired state, JSON'), { target: { value: '{"interval":60,"level":"warn"}' } });
    fireEvent.click(screen.getByRole('button', { name: 'Apply' }));
    await waitFor(() => expect(requests.find((request) => request.method === 'PATCH')?.body).toEqual({ state: { desired: { level: 'warn' } }, version: 42 }));
  });

  test('explains a version conflict and keeps the text', async () => {
    renderPage(deviceAddress, {
      [`${deviceApi}/shadow`]: (_: URL, init: RequestInit) => (init.method === 'PATCH' ? problem(409, 'Version conflict', 'Version conflict') : fixture.shadow()),
    });
    fireEvent.click(await screen.findByRole('button', { name: 'Edit' }));
    const text = await screen.findByLabelText<HTMLTextAreaElement>('Desired state, JSON');
    fireEvent.change(text, { target: { value: '{"interval":90}' } });
    fireEvent.click(screen.getByRole('button', { name: 'Apply' }));
    expect(await screen.findByText(/Version conflict: the shadow has changed/)).toBeTruthy();
    expect(text.value).toBe('{"interval":90}');
  });

  test('cannot apply what is not JSON', async () => {
    renderPage(deviceAddress);
    fireEvent.click(await screen.findByRole('button', { name: 'Edit' }));
    fireEvent.change(await screen.findByLabelText('Desired state, JSON'), { target: { value: '{' } });
    expect((screen.getByRole('button', { name: 'Apply' }) as HTMLButtonElement).disabled).toBe(true);
    expect(screen.getByText(/Not valid JSON/)).toBeTruthy();
  });

  test('a device without a shadow has none yet, which is no error', async () => {
    renderPage(deviceAddress, { [`${deviceApi}/shadow`]: problem(404, 'Not found', 'No shadow exists') });
    expect(await screen.findByText('none yet')).toBeTruthy();
  });

  test('that does not exist is said in words', async () => {
    renderPage('/devices/nobody');
    expect(await screen.findByText(/Device nobody: Not found/)).toBeTruthy();
  });
});

describe('incidents', () => {
  test('are listed, and filtered by what they are', async () => {
    renderPage('/incidents', { '/api/v1/alerts': { alerts: [fixture.incident(), fixture.incident({ id: 'inc-6', state: 'resolved', title: 'Rio is back', resolved: fixture.time })] } });
    expect(await screen.findByText('Rio is back')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Open' }));
    expect(screen.queryByText('Rio is back')).toBeNull();
    expect(screen.getByText('Karnataka mass disconnect')).toBeTruthy();
  });

  test('of a quiet fleet are none, and what would open one is said', async () => {
    renderPage('/incidents', { '/api/v1/alerts': { alerts: [] } });
    expect(await screen.findByText('No incident so far')).toBeTruthy();
  });

  test('one leads with its cause and what its members share', async () => {
    renderPage('/incidents/inc-7');
    expect(await screen.findByText('18 of 113')).toBeTruthy();
    expect(screen.getByText('Gateway lost')).toBeTruthy();
    expect(screen.getByText('87% sure')).toBeTruthy();
    expect(screen.getByText('88%')).toBeTruthy();
    expect(screen.getByText('vs 31%')).toBeTruthy();
    expect(screen.getByText('Opened: 11.2% for 10 s')).toBeTruthy();
  });

  test('a cause that is not sure is said to be likely, and a rule of causes shows the devices it had hit', async () => {
    renderPage('/incidents/inc-7', { '/api/v1/alerts/inc-7': fixture.incident({ confidence: 0.55, rule: 'cause', severity: 'info' }) });
    expect(await screen.findByText('Likely: Gateway lost')).toBeTruthy();
    expect(screen.getByText('Devices concerned')).toBeTruthy();
    expect(screen.getByText('Info')).toBeTruthy();
  });
});

test('live events lists changes as they come, and filters them', async () => {
  const { live } = renderPage('/live');
  await screen.findByText('No change since this page was opened');
  act(() => {
    live.socket().open();
    live.socket().say({ type: 'changes', data: [fixture.change('a-1'), fixture.change('b-2', { state: 'online', cause: 'connect' })], sampled: 1, rate: 2 });
  });
  expect(await screen.findByRole('link', { name: 'a-1' })).toBeTruthy();
  fireEvent.click(screen.getByRole('button', { name: 'Online' }));
  await waitFor(() => expect(screen.queryByRole('link', { name: 'a-1' })).toBeNull());
  expect(screen.getByRole('link', { name: 'b-2' })).toBeTruthy();
});

test('cluster shows gateways and the server, and says when there is no series yet', async () => {
  renderPage('/cluster');
  expect(await screen.findByText('gw-1')).toBeTruthy();
  expect(await screen.findByText('No series yet')).toBeTruthy();
  expect(await screen.findByText('Yes')).toBeTruthy();
});

test('cluster shows the processes of a cluster, and how far its processors are behind', async () => {
  const processes = [
    { role: 'processor', name: 'processor-2', since: fixture.time - 60_000, lag: 1234, devices: 812 },
    { role: 'shadow', name: 'shadow-1', since: fixture.time - 60_000, lag: 0, devices: 0 },
  ] as const;
  renderPage('/cluster', { '/api/v1/fleet': fixture.fleet({ processes: [...processes] }) });
  expect(await screen.findByText('processor-2')).toBeTruthy();
  expect(screen.getByText('1,234')).toBeTruthy();
  expect(screen.getByText('shadow-1')).toBeTruthy();
});

describe('the shell', () => {
  test('asks for a token again when the server rejects it', async () => {
    renderPage('/', { '/api/v1/fleet': problem(401, 'Unauthorized', 'no') });
    expect(await screen.findByText('The server does not accept the last token.')).toBeTruthy();
  });

  test('freezes the picture while it is paused, and says since when', async () => {
    const { live } = renderPage('/');
    await screen.findByText('96.00');
    act(() => live.socket().open());
    fireEvent.click(screen.getByRole('button', { name: 'Pause live updates' }));
    act(() => live.socket().say({ type: 'fleet', data: fixture.fleet({ time: fixture.time + 1000, counts: fixture.counts({ online: 1, offline: 999 }) }) }));
    expect(screen.getByText('96.00')).toBeTruthy();
    expect(screen.getByText('Paused.')).toBeTruthy();
  });

  test('finds devices from the keyboard', async () => {
    const { requests, router } = renderPage('/cluster');
    await screen.findByText('gw-1');
    fireEvent.keyDown(window, { key: 'k', ctrlKey: true });
    fireEvent.change(await screen.findByPlaceholderText(/Device id/), { target: { value: 'ka-04' } });
    const found = await screen.findByText('ka-0417-88240c');
    expect(requests.some((request) => request.url.searchParams.get('q') === 'ka-04')).toBe(true);
    fireEvent.click(found);
    await waitFor(() => expect(router.state.location.pathname).toBe(deviceAddress));
  });

  test('an address without a page says so', async () => {
    renderPage('/nowhere');
    expect(await screen.findByText('There is no such page')).toBeTruthy();
  });
});
