// Opens every page of a running Muster in headless Chromium, in both themes and at a phone's width, writes a picture of
// each, and fails on console errors, failed requests, serious accessibility violations and pages that stay empty.
//
//   node e2e/smoke.mjs --url http://127.0.0.1:8080 --token T --out DIR [--device ID] [--chromium PATH]
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    token: { type: 'string' },
    out: { type: 'string' },
    device: { type: 'string' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
});
if (!options.url || !options.token || !options.out) {
  console.error('usage: smoke.mjs --url URL --token TOKEN --out DIR [--device ID] [--chromium PATH]');
  process.exit(2);
}
const base = options.url.replace(/\/$/, '');
const readyWithin_ms = 15_000;
/** After the content is there: the map, the charts and the first live frames. */
const settle_ms = 1500;

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const problems = [];

async function ask(path) {
  const response = await fetch(`${base}/api/v1${path}`, { headers: { Authorization: `Bearer ${options.token}` } });
  if (!response.ok) throw new Error(`GET ${path}: HTTP ${response.status}`);
  return response.json();
}

/** The pages that this Muster has something to show on. */
async function pagesOf() {
  const device = options.device ?? (await ask('/devices?limit=1')).devices[0]?.id;
  const incident = (await ask('/alerts?state=all&limit=1')).alerts[0]?.id;
  return [
    { name: 'overview', hash: '/', ready: 'section[aria-label="Fleet health"] dl' },
    { name: 'overview_past', hash: '/', ready: 'input[aria-label="Time"]', act: showPast },
    { name: 'devices', hash: '/devices', ready: '[role=table][aria-label=Devices] [role=cell]' },
    { name: 'devices_offline', hash: '/devices?state=offline', ready: 'input[aria-label="Device id begins with"]' },
    device && { name: 'device', hash: `/devices/${encodeURIComponent(device)}`, ready: 'section[aria-label=Device] dl' },
    { name: 'incidents', hash: '/incidents', ready: 'h2:text("Incidents")' },
    incident && { name: 'incident', hash: `/incidents/${encodeURIComponent(incident)}`, ready: 'section[aria-label=Incident] dl' },
    { name: 'live', hash: '/live', ready: '[role=table][aria-label^="Status changes"]' },
    { name: 'cluster', hash: '/cluster', ready: 'section[aria-label=Flow] dl' },
  ].filter(Boolean);
}

/** Moves the overview's slider to half a minute ago. */
async function showPast(page) {
  await page.click('[role=group][aria-label="How far back"] button:text-is("1 h")');
  for (let step = 0; step < 4; step += 1) await page.press('input[aria-label="Time"]', 'ArrowLeft');
  await page.waitForSelector('section:has(h2:text-is("Fleet at")) [role=img]', { timeout: readyWithin_ms });
}

function watch(page, where) {
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`${where()}: console: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => problems.push(`${where()}: ${error.stack ?? error.message}`));
  page.on('requestfailed', (request) => {
    const cause = request.failure()?.errorText ?? '';
    if (cause !== 'net::ERR_ABORTED') problems.push(`${where()}: ${request.method()} ${request.url()}: ${cause}`); // aborted: the page was left
  });
  page.on('request', (request) => {
    const url = request.url();
    if (/^(https?|wss?):/.test(url) && new URL(url).host !== new URL(base).host) problems.push(`${where()}: request to another host: ${url}`);
  });
}

async function checkAccessibility(page, where) {
  await page.evaluate(axeSource); // through the debugger: the page's own content security policy stays in force
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  for (const { id, impact, help, nodes } of violations) {
    if (impact !== 'serious' && impact !== 'critical') continue;
    problems.push(`${where}: ${impact}: ${help} (${id}) at ${nodes.slice(0, 3).map((node) => node.target.join(' ')).join(' | ')}`);
  }
}

async function visit(page, { name, hash, ready, act }, suffix) {
  const where = `${name}${suffix}`;
  await page.goto(`${base}/#${hash}`);
  try {
    await page.waitForSelector(ready, { timeout: readyWithin_ms });
    await act?.(page);
  } catch {
    problems.push(`${where}: nothing shown within ${readyWithin_ms} ms (waited for ${ready})`);
  }
  await page.waitForTimeout(settle_ms);
  await checkAccessibility(page, where);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (overflow > 0) problems.push(`${where}: wider than the screen by ${overflow} px`);
  await page.screenshot({ path: join(options.out, `${where}.png`), fullPage: true });
  console.log(`  ${where}`);
}

async function run(browser, pages, suffix, { theme, viewport }) {
  const context = await browser.newContext({ viewport, deviceScaleFactor: 1.5, reducedMotion: 'reduce' });
  await context.addInitScript((chosen) => location.protocol.startsWith('http') && localStorage.setItem('muster.theme', chosen), theme);
  const page = await context.newPage();
  let current = 'sign-in';
  watch(page, () => current + suffix);
  await page.goto(`${base}/`);
  await page.waitForSelector('#token', { timeout: readyWithin_ms });
  await checkAccessibility(page, `sign-in${suffix}`);
  await page.screenshot({ path: join(options.out, `sign-in${suffix}.png`) });
  await page.goto('about:blank');
  await page.goto(`${base}/#token=${encodeURIComponent(options.token)}`);
  await page.waitForFunction(() => !location.hash.includes('token='), null, { timeout: readyWithin_ms });
  for (const target of pages) {
    current = target.name;
    await visit(page, target, suffix);
  }
  current = 'palette';
  await page.keyboard.press('Control+k');
  await page.waitForSelector('[cmdk-input]', { timeout: readyWithin_ms });
  await page.waitForTimeout(300);
  await checkAccessibility(page, `palette${suffix}`);
  await page.screenshot({ path: join(options.out, `palette${suffix}.png`) });
  await context.close();
}

mkdirSync(options.out, { recursive: true });
const desk = { width: 1440, height: 900 };
const browser = await chromium.launch({ executablePath: options.chromium, args: ['--no-sandbox'] });
try {
  const pages = await pagesOf();
  await run(browser, pages, '', { theme: 'dark', viewport: desk });
  await run(browser, pages, '_light', { theme: 'light', viewport: desk });
  await run(browser, pages, '_mobile', { theme: 'dark', viewport: { width: 390, height: 844 } });
} finally {
  await browser.close();
}
if (problems.length > 0) {
  console.error(`${problems.length} problem(s):\n${[...new Set(problems)].map((problem) => `- ${problem}`).join('\n')}`);
  process.exit(1);
}
console.log('all pages good');
