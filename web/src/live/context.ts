import { createContext, useContext, useEffect, useSyncExternalStore } from 'react';
import { apiUrl } from '../api/client';
import { currentToken } from '../api/token';
import type { Topic } from '../api/types';
import type { LiveState } from './reducer';
import { LiveStore } from './store';

/** A browser cannot put a header on a WebSocket's handshake, so the token goes into its address. */
function openSocket(): WebSocket {
  const url = new URL(apiUrl('/api/v1/live'));
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.searchParams.set('access_token', currentToken() ?? '');
  return new WebSocket(url);
}

export const browserLive = (): LiveStore =>
  new LiveStore({ open: openSocket, now: () => Date.now(), chance: () => Math.random() });

export const LiveContext = createContext<LiveStore | null>(null);

export function useLiveStore(): LiveStore {
  const store = useContext(LiveContext);
  if (!store) throw new Error('LiveContext is missing');
  return store;
}

/** One part of the live state; `select` must return something that keeps its identity while it does not change. */
export function useLive<T>(select: (state: LiveState) => T): T {
  const store = useLiveStore();
  return useSyncExternalStore(store.subscribe, () => select(store.snapshot()));
}

export function useTopic(topic: Topic): void {
  const store = useLiveStore();
  useEffect(() => store.watch(topic), [store, topic]);
}
