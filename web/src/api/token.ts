import { useSyncExternalStore } from 'react';

// The API token of this browser: kept in localStorage, handed over in the address once (#token=…), and forgotten
// when the server rejects it. `rejected` tells the sign-in form why it is shown.

const storageKey = 'muster.token';

export interface Session {
  token: string | null;
  rejected: boolean;
}

let session: Session = { token: read(), rejected: false };
const listeners = new Set<() => void>();

function read(): string | null {
  try {
    return localStorage.getItem(storageKey);
  } catch {
    return null; // storage is blocked: the token lasts as long as the page
  }
}

function change(next: Session) {
  session = next;
  try {
    if (next.token) localStorage.setItem(storageKey, next.token);
    else localStorage.removeItem(storageKey);
  } catch {
    // see read()
  }
  for (const listener of listeners) listener();
}

export const currentToken = (): string | null => session.token;
export const signIn = (token: string): void => change({ token: token.trim(), rejected: false });
export const signOut = (): void => change({ token: null, rejected: false });

/** Called on a 401: only the token that was rejected is dropped, not one that was pasted in the meantime. */
export function reject(token: string | null): void {
  if (token === session.token) change({ token: null, rejected: token !== null });
}

/** The token in an address such as #token=abc, or null. */
export function tokenInHash(hash: string): string | null {
  const match = /^#\/?\??token=([^&]+)/.exec(hash);
  return match?.[1] ? decodeURIComponent(match[1]) : null;
}

/** Takes the token out of the address, so that it stays out of history, bookmarks and screenshots. */
export function adoptTokenFromAddress(): void {
  const token = tokenInHash(location.hash);
  if (!token) return;
  location.replace('#/');
  signIn(token);
}

export function onSessionChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useSession = (): Session => useSyncExternalStore(onSessionChange, () => session);
