import { CircleSlash, Lock, TriangleAlert } from 'lucide-react';
import { ApiError } from '../api/client';

/** Grey bars in the geometry of what is coming. */
export function Loading({ rows = 4, className = '' }: { rows?: number; className?: string }) {
  return (
    <div className={`flex flex-col gap-3 p-3.5 ${className}`} role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="skeleton h-5" style={{ width: `${92 - ((row * 23) % 40)}%` }} />
      ))}
    </div>
  );
}

/** Nothing to show, and why that is. */
export function Empty({ title, children }: { title: string; children?: React.ReactNode }) {
  return (
    <div className="flex flex-1 flex-col items-start justify-center gap-1.5 p-5">
      <CircleSlash size={16} className="text-fg3" aria-hidden="true" />
      <p className="font-semibold">{title}</p>
      {children && <div className="max-w-[52ch] text-fg2">{children}</div>}
    </div>
  );
}

/** Cause, code, and the next step. */
export function Failed({ what, error, retry }: { what: string; error: unknown; retry?: () => void }) {
  const denied = error instanceof ApiError && error.status === 403;
  const Icon = denied ? Lock : TriangleAlert;
  const title = error instanceof ApiError ? error.title : 'Unexpected error';
  const code = error instanceof ApiError && error.status ? `HTTP ${error.status}${error.code ? ` · ${error.code}` : ''}` : '';
  return (
    <div role="alert" className="flex flex-1 flex-col items-start justify-center gap-1.5 p-5">
      <Icon size={16} className="text-warn" aria-hidden="true" />
      <p className="font-semibold">
        {what}: {denied ? 'your token may not do this' : title}
      </p>
      <p className="max-w-[60ch] text-fg2">{error instanceof Error ? error.message : String(error)}</p>
      <div className="mt-1 flex items-center gap-3">
        {retry && (
          <button type="button" className="button" onClick={retry}>
            Retry
          </button>
        )}
        {code && <span className="mono text-fg3">{code}</span>}
      </div>
    </div>
  );
}

interface Query<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** A panel's body: loading, failed with nothing to show, or the thing itself (also when a later refresh failed). */
export function Loaded<T>({ query, what, rows, children }: {
  query: Query<T>;
  what: string;
  rows?: number;
  children: (data: T) => React.ReactNode;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <Failed what={what} error={query.error} retry={() => void query.refetch()} />;
  return <Loading rows={rows} />;
}
