import { afterEach, expect, test, vi } from 'vitest';
import { ApiError, get, queryString } from './client';
import { currentToken, signIn, tokenInHash } from './token';

afterEach(() => localStorage.clear());

const answer = (status: number, body: string, type: string) =>
  vi.stubGlobal('fetch', async () => new Response(body, { status, headers: { 'content-type': type } }));

test('the token is sent with every request', async () => {
  const sent = vi.fn(async (_url: string, _init: RequestInit) => new Response('{}'));
  vi.stubGlobal('fetch', sent);
  signIn('abc');
  await get('/api/v1/fleet');
  expect(new Headers(sent.mock.calls[0]?.[1].headers).get('Authorization')).toBe('Bearer abc');
});

test('a problem document becomes an error with its words and code', async () => {
  answer(409, '{"type":"about:blank","title":"Version conflict","status":409,"detail":"now at 43","code":"version_conflict"}', 'application/problem+json');
  const error = await get('/x').catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 409, title: 'Version conflict', message: 'now at 43', code: 'version_conflict' });
});

test('an error page that is not JSON still gives its status', async () => {
  answer(502, '<html>', 'text/html');
  await expect(get('/x')).rejects.toMatchObject({ status: 502 });
});

test('no answer is an error of its own', async () => {
  vi.stubGlobal('fetch', async () => {
    throw new TypeError('failed to fetch');
  });
  await expect(get('/x')).rejects.toMatchObject({ status: 0, code: 'unreachable' });
});

test('a rejected token is forgotten', async () => {
  signIn('old');
  answer(401, '{"title":"Unauthorized","status":401}', 'application/problem+json');
  await get('/x').catch(() => {});
  expect(currentToken()).toBeNull();
});

test('empty parameters are left out', () => expect(queryString({ state: 'offline', q: '', cursor: null, limit: 100 })).toBe('?state=offline&limit=100'));

test.each([['#token=a%2Fb', 'a/b'], ['#/?token=abc', 'abc'], ['#/devices', null], ['', null]])('the token in %s is %s', (hash, token) =>
  expect(tokenInHash(hash)).toBe(token));
