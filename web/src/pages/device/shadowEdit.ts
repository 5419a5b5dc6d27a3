import type { Json, JsonObject } from '../../api/types';

// What the editor of the desired state checks before it asks the server, and the update that it sends.
// The limits are those of the shadow service.

export const documentBytesMax = 8 * 1024;
export const depthMax = 8;

export type Checked = { ok: true; desired: JsonObject } | { ok: false; problem: string };

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function depthOf(value: Json): number {
  if (Array.isArray(value)) return 1 + Math.max(0, ...value.map(depthOf));
  if (isObject(value)) return 1 + Math.max(0, ...Object.values(value).map(depthOf));
  return 0;
}

/** The path of the first array that holds a null: the shadow service rejects those. */
function nullInArray(value: Json, path: string): string | null {
  if (Array.isArray(value)) {
    if (value.includes(null)) return path || 'the document';
    return value.map((item, index) => nullInArray(item, `${path}[${index}]`)).find((found) => found !== null) ?? null;
  }
  if (!isObject(value)) return null;
  return Object.entries(value).map(([key, item]) => nullInArray(item, path ? `${path}.${key}` : key)).find((found) => found !== null) ?? null;
}

/** "line 3: …" where the parser says at which character it stopped. */
function syntaxProblem(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const position = /position (\d+)/.exec(message)?.[1];
  if (position === undefined) return `Not valid JSON: ${message}`;
  const line = text.slice(0, Number(position)).split('\n').length;
  return `Not valid JSON, line ${line}: ${message.replace(/ (in JSON )?at position.*/, '')}`;
}

export function checkDesired(text: string): Checked {
  let value: Json;
  try {
    value = JSON.parse(text.trim() || '{}') as Json;
  } catch (error) {
    return { ok: false, problem: syntaxProblem(text, error) };
  }
  if (!isObject(value)) return { ok: false, problem: 'The desired state must be a JSON object: { … }' };
  const array = nullInArray(value, '');
  if (array) return { ok: false, problem: `An array must not hold null: ${array}` };
  if (depthOf(value) > depthMax) return { ok: false, problem: `At most ${depthMax} levels deep` };
  const bytes = new TextEncoder().encode(JSON.stringify(value)).length;
  if (bytes > documentBytesMax) return { ok: false, problem: `At most ${documentBytesMax / 1024} KB, this is ${(bytes / 1024).toFixed(1)} KB` };
  return { ok: true, desired: value };
}

const same = (a: Json | undefined, b: Json | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The merge that makes `before` into `after`: only what differs, null for what was taken away. */
export function updateBetween(before: JsonObject, after: JsonObject): JsonObject {
  const update: JsonObject = {};
  for (const key of Object.keys(before)) if (!(key in after)) update[key] = null;
  for (const [key, value] of Object.entries(after)) {
    const old = before[key];
    if (isObject(value) && isObject(old)) {
      const inner = updateBetween(old, value);
      if (Object.keys(inner).length > 0) update[key] = inner;
    } else if (!same(old, value)) {
      update[key] = value;
    }
  }
  return update;
}

export interface Difference {
  path: string;
  desired: Json;
  reported: Json | undefined;
}

/** The delta's leaves, each with what the device reports instead. */
export function differences(delta: JsonObject, reported: JsonObject | undefined, path = ''): Difference[] {
  return Object.entries(delta).flatMap(([key, desired]) => {
    const here = path ? `${path}.${key}` : key;
    const now = reported?.[key];
    return isObject(desired) && isObject(now) ? differences(desired, now, here) : [{ path: here, desired, reported: now }];
  });
}

/** A line of pretty JSON and the path that it belongs to, so that what differs can be marked. */
export interface Line {
  text: string;
  path: string;
}

export function prettyLines(value: JsonObject): Line[] {
  const path: string[] = [];
  return JSON.stringify(value, null, 2).split('\n').map((text) => {
    const indent = (text.length - text.trimStart().length) / 2;
    const key = /^\s*"((?:[^"\\]|\\.)*)":/.exec(text)?.[1];
    if (key !== undefined) {
      path.length = Math.max(0, indent - 1);
      path[indent - 1] = key;
      return { text, path: path.slice(0, indent).join('.') };
    }
    return { text, path: path.slice(0, Math.max(0, indent)).join('.') };
  });
}
