import { currentToken, reject } from './token';
import type { Problem } from './types';

/** What went wrong with a request, in words for the page: an RFC 9457 problem, or no answer at all (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;

  constructor(problem: Pick<Problem, 'status' | 'title'> & Partial<Problem>) {
    super(problem.detail || problem.title);
    this.name = 'ApiError';
    this.status = problem.status;
    this.title = problem.title;
    this.code = problem.code ?? '';
  }
}

const answerWithin_ms = 15_000;

/** Where the API is: beside the dashboard's own files, also behind a path prefix. */
export const apiUrl = (path: string): string => new URL(path.replace(/^\//, ''), document.baseURI).toString();

type Query = Record<string, string | number | null | undefined>;

/** `?a=1&b=2`, without the parameters that are empty. */
export function queryString(query: Query): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') params.set(name, String(value));
  }
  const text = params.toString();
  return text ? `?${text}` : '';
}

async function problemOf(response: Response): Promise<ApiError> {
  const fallback = { status: response.status, title: response.statusText || `HTTP ${response.status}` };
  if (!response.headers.get('content-type')?.includes('json')) return new ApiError(fallback);
  try {
    return new ApiError({ ...fallback, ...((await response.json()) as Partial<Problem>) });
  } catch {
    return new ApiError(fallback);
  }
}

async function send(path: string, init: RequestInit): Promise<Response> {
  const token = currentToken();
  const headers = new Headers(init.headers);
  if (token) headers.set('Authorization', `Bearer ${token}`);
  if (init.body) headers.set('Content-Type', 'application/json');
  const timeout = AbortSignal.timeout(answerWithin_ms);
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
  let response: Response;
  try {
    response = await fetch(apiUrl(path), { ...init, headers, signal });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    const late = timeout.aborted;
    throw new ApiError({
      status: 0,
      title: late ? 'No answer' : 'Muster is not reachable',
      detail: late ? `No answer within ${answerWithin_ms / 1000} s` : 'The connection to the Muster server failed',
      code: late ? 'timeout' : 'unreachable',
    });
  }
  if (response.status === 401) reject(token);
  if (!response.ok) throw await problemOf(response);
  return response;
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return (await send(path + queryString(query), { signal })).json() as Promise<T>;
}

export async function change<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T> {
  const response = await send(path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** Saves an answer as a file: a plain link could not carry the token. */
export async function download(path: string, query: Query, fileName: string): Promise<void> {
  const blob = await (await send(path + queryString(query), {})).blob();
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = fileName;
  link.click();
  URL.revokeObjectURL(link.href);
}
