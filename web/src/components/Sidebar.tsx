import { Link } from '@tanstack/react-router';
import { Activity, Cpu, LayoutGrid, LogOut, Server, Siren } from 'lucide-react';
import { useFleet } from '../api/queries';
import { signOut } from '../api/token';
import { compact } from '../format/number';
import { delayText } from '../format/time';
import type { Liveness } from './liveness';
import { Logo } from './Logo';

const link =
  'flex h-8 items-center gap-2.5 rounded-control border border-transparent px-2.5 font-medium text-fg2 hover:bg-raise aria-[current=page]:border-line aria-[current=page]:bg-raise aria-[current=page]:text-fg';

function Entry({ to, icon: Icon, text, count }: {
  to: '/' | '/devices' | '/incidents' | '/live' | '/cluster';
  icon: typeof Cpu;
  text: string;
  count?: React.ReactNode;
}) {
  return (
    <li>
      <Link to={to} className={link} activeOptions={{ exact: to === '/', includeSearch: false }}>
        <Icon size={16} strokeWidth={1.75} aria-hidden="true" />
        {text}
        {count !== undefined && <span className="num ml-auto text-small font-normal">{count}</span>}
      </Link>
    </li>
  );
}

function System({ liveness }: { liveness: Liveness }) {
  const { data: fleet } = useFleet();
  const live = liveness.kind === 'live';
  return (
    <div className="rounded-panel border border-line bg-panel px-3 py-2">
      <p className="flex items-center gap-2 font-medium">
        {live ? <span className="live-dot" aria-hidden="true" /> : <span className="size-2 rounded-full border-[1.5px] border-dashed border-warn-fill" aria-hidden="true" />}
        {live ? 'All systems live' : liveness.kind === 'stalled' ? 'Pipeline stalled' : liveness.kind === 'paused' ? 'View paused' : 'Waiting for the server'}
      </p>
      {fleet && (
        <p className="cap num mt-0.5">
          {fleet.detection_ms ? `Status p99 ${delayText(fleet.detection_ms.p99)} · ` : ''}lag {delayText(fleet.lag_ms)}
        </p>
      )}
    </div>
  );
}

/** Only pages that there are. */
export function Sidebar({ liveness }: { liveness: Liveness }) {
  const { data: fleet } = useFleet();
  const open = fleet?.incidents_open ?? 0;
  return (
    <div className="flex h-full flex-col gap-3 p-2">
      <div className="flex h-10 items-center gap-2.5 px-2 text-[14px] font-semibold tracking-tight">
        <Logo />
        Muster
      </div>
      <nav aria-label="Pages">
        <ul className="flex flex-col gap-0.5">
          <Entry to="/" icon={LayoutGrid} text="Overview" />
          <Entry to="/devices" icon={Cpu} text="Devices" count={fleet && <span className="text-fg3">{compact(fleet.counts.total)}</span>} />
          <Entry to="/incidents" icon={Siren} text="Incidents" count={open > 0 ? <span className="text-bad">{open}</span> : undefined} />
          <Entry to="/live" icon={Activity} text="Live events" />
          <Entry to="/cluster" icon={Server} text="Cluster" />
        </ul>
      </nav>
      <div className="mt-auto flex flex-col gap-1">
        <System liveness={liveness} />
        <div className="flex items-center pl-2.5">
          <span className="cap mono">{fleet ? `muster ${fleet.version}` : 'muster'}</span>
          <button type="button" className="button button-ghost button-icon ml-auto" aria-label="Sign out" title="Sign out" onClick={signOut}>
            <LogOut size={15} />
          </button>
        </div>
      </div>
    </div>
  );
}
