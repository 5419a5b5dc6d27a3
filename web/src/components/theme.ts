import { useSyncExternalStore } from 'react';

export type Theme = 'dark' | 'light';

const storageKey = 'muster.theme';
const listeners = new Set<() => void>();

const current = (): Theme => (document.documentElement.dataset.theme === 'light' ? 'light' : 'dark');

export function setTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(storageKey, theme);
  } catch {
    // storage is blocked: the choice lasts as long as the page
  }
  for (const listener of listeners) listener();
}

export const toggleTheme = (): void => setTheme(current() === 'dark' ? 'light' : 'dark');

/** Before the first paint: what was chosen here last, else dark. */
export function restoreTheme(): void {
  try {
    if (localStorage.getItem(storageKey) === 'light') document.documentElement.dataset.theme = 'light';
  } catch {
    // dark
  }
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useTheme = (): Theme => useSyncExternalStore(subscribe, current);

/** A colour token's present value: canvases cannot use var(). */
export const colour = (token: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim();
