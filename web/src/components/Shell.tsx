import { Outlet, useLocation } from '@tanstack/react-router';
import { Dialog } from 'radix-ui';
import { lazy, Suspense, useEffect, useState } from 'react';
import { LiveBanner } from './LiveBanner';
import { Sidebar } from './Sidebar';
import { TopBar } from './TopBar';
import { useLiveness } from './useLiveness';
import type { Liveness } from './liveness';

const Palette = lazy(() => import('./Palette').then((module) => ({ default: module.Palette })));

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Ctrl K, ⌘ K, or / where nobody is typing. */
function useSearchKey(open: () => void) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const chord = event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey);
      if (!chord && !(event.key === '/' && !typing(event.target))) return;
      event.preventDefault();
      open();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [open]);
}

/** On a narrow screen the sidebar comes out of the edge. */
function Drawer({ open, onOpenChange, liveness }: { open: boolean; onOpenChange: (open: boolean) => void; liveness: Liveness }) {
  const path = useLocation({ select: (location) => location.pathname });
  useEffect(() => onOpenChange(false), [path, onOpenChange]);
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/55" />
        <Dialog.Content className="fixed inset-y-0 left-0 z-50 w-64 border-r border-line bg-bg outline-none" aria-describedby={undefined}>
          <Dialog.Title className="sr-only">Menu</Dialog.Title>
          <Sidebar liveness={liveness} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

export function Shell() {
  const liveness = useLiveness();
  const [searching, setSearching] = useState(false);
  const [menu, setMenu] = useState(false);
  const [openSearch] = useState(() => () => setSearching(true));
  useSearchKey(openSearch);
  const trusted = liveness.kind === 'live' || liveness.kind === 'connecting' || liveness.kind === 'paused';
  return (
    <div className="desk:grid desk:grid-cols-[208px_minmax(0,1fr)]">
      <a href="#main" className="button sr-only z-50 focus:not-sr-only focus:fixed focus:top-2 focus:left-2" onClick={(event) => {
        event.preventDefault(); // the address after # is the page's
        document.getElementById('main')?.focus();
      }}>
        Skip to content
      </a>
      <aside className="sticky top-0 h-dvh border-r border-line max-desk:hidden">
        <Sidebar liveness={liveness} />
      </aside>
      <Drawer open={menu} onOpenChange={setMenu} liveness={liveness} />
      <div className="min-w-0">
        <TopBar liveness={liveness} onSearch={openSearch} onMenu={() => setMenu(true)} />
        <main id="main" tabIndex={-1} data-live={trusted} className="p-3 outline-none">
          <LiveBanner liveness={liveness} />
          <Outlet />
        </main>
      </div>
      {searching && (
        <Suspense>
          <Palette onClose={() => setSearching(false)} />
        </Suspense>
      )}
    </div>
  );
}
