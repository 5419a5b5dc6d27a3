import { cleanup } from '@testing-library/react';
import { afterEach, vi } from 'vitest';
import { signOut } from '../api/token';

// What happy-dom does not have: layout. Long lists get a window to fill; canvases and charts have no size and draw nothing.
const sizeOf = (pixels: number) => ({
  configurable: true,
  get(this: HTMLElement) {
    return this.getAttribute('role') === 'table' ? pixels : 0;
  },
});
Object.defineProperty(HTMLElement.prototype, 'clientHeight', sizeOf(600));
Object.defineProperty(HTMLElement.prototype, 'clientWidth', sizeOf(1200));
window.scrollTo = () => {};

afterEach(() => {
  cleanup();
  signOut();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});
