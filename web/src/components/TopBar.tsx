import { Link, useLocation } from '@tanstack/react-router';
import { ChevronRight, Menu, Moon, Search, Sun } from 'lucide-react';
import { useEffect } from 'react';
import { crumbsOf } from './crumbs';
import { LiveBadge } from './LiveBadge';
import type { Liveness } from './liveness';
import { toggleTheme, useTheme } from './theme';

function Crumbs() {
  const crumbs = crumbsOf(useLocation({ select: (location) => location.pathname }));
  const page = crumbs.at(-1);
  useEffect(() => {
    document.title = `${page?.text ?? ''} · Muster`;
  }, [page?.text]);
  return (
    <div className="flex min-w-0 items-center gap-2">
      {crumbs.map((crumb) =>
        crumb.to ? (
          <span key={crumb.text} className="flex items-center gap-2 text-fg2 max-desk:hidden">
            <Link to={crumb.to} className="link">
              {crumb.text}
            </Link>
            <ChevronRight size={13} className="text-fg3" aria-hidden="true" />
          </span>
        ) : (
          <h1 key={crumb.text} className={`truncate font-medium ${crumb.mono ? 'mono' : ''}`}>
            {crumb.text}
          </h1>
        ),
      )}
    </div>
  );
}

interface Props {
  liveness: Liveness;
  onSearch: () => void;
  onMenu: () => void;
}

export function TopBar({ liveness, onSearch, onMenu }: Props) {
  const theme = useTheme();
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <header className="sticky top-0 z-20 flex h-11 items-center gap-2 border-b border-line bg-bg px-3 desk:px-4">
      <button type="button" className="button button-ghost button-icon desk:hidden" aria-label="Open menu" onClick={onMenu}>
        <Menu size={16} />
      </button>
      <Crumbs />
      <div className="ml-auto flex shrink-0 items-center gap-1.5">
        <button
          type="button"
          onClick={onSearch}
          aria-keyshortcuts="Control+K Meta+K /"
          className="flex h-7 min-w-7 cursor-pointer items-center gap-2 rounded-control border border-line2 bg-panel px-2.5 text-fg3 hover:bg-raise desk:w-64"
        >
          <Search size={14} aria-hidden="true" />
          <span className="whitespace-nowrap max-desk:sr-only">Search devices, regions…</span>
          <span className="ml-auto flex gap-1 max-desk:hidden" aria-hidden="true">
            <kbd className="kbd">Ctrl</kbd>
            <kbd className="kbd">K</kbd>
          </span>
        </button>
        <LiveBadge liveness={liveness} />
        <button type="button" className="button button-ghost button-icon" aria-label={`Switch to ${other} theme`} title={`Switch to ${other} theme`} onClick={toggleTheme}>
          {theme === 'dark' ? <Sun size={15} /> : <Moon size={15} />}
        </button>
      </div>
    </header>
  );
}
