import { Link } from '@tanstack/react-router';
import type { Incident } from '../api/types';
import { Sparkline } from '../charts/Sparkline';
import { percent } from '../format/number';
import { duration, moment } from '../format/time';
import { plural, regionName } from '../format/words';
import { useNow } from './now';

const bar = { critical: 'bg-bad-fill', warning: 'bg-warn-fill', resolved: 'bg-ok-fill' };
const pill = { critical: 'bg-bad-soft text-bad', warning: 'bg-warn-soft text-warn', resolved: 'bg-ok-soft text-ok' };
const word = { critical: 'Critical', warning: 'Warning', resolved: 'Resolved' };
const tone = { critical: 'bad', warning: 'warn', resolved: 'ok' } as const;

const kindOf = (incident: Incident) => (incident.state === 'resolved' ? 'resolved' : incident.severity);

export function SeverityPill({ incident }: { incident: Incident }) {
  return <span className={`pill ${pill[kindOf(incident)]}`}>{word[kindOf(incident)]}</span>;
}

/** How long it has been open, or was. */
export function useIncidentAge(incident: Incident): string {
  const now = useNow();
  return duration((incident.resolved ?? now) - incident.opened);
}

export function IncidentRow({ incident, shares }: { incident: Incident; shares?: (number | null)[] | undefined }) {
  const now = useNow();
  const age = useIncidentAge(incident);
  return (
    <li className="relative border-b border-line last:border-b-0 hover:bg-raise/50">
      <Link to="/incidents/$id" params={{ id: incident.id }} className="flex gap-3 px-3 py-2.5 focus-visible:outline-offset-[-2px]">
        <span className={`w-[3px] shrink-0 rounded-full ${bar[kindOf(incident)]}`} aria-hidden="true" />
        <span className="min-w-0 flex-1">
          <span className="flex items-start gap-2">
            <span className="min-w-0 flex-1 font-semibold">{incident.title}</span>
            <SeverityPill incident={incident} />
          </span>
          <span className="mt-0.5 line-clamp-2 text-fg2">{incident.summary}</span>
          <span className="num mt-1.5 flex items-end gap-1.5">
            <span className="pill bg-raise text-fg2">{plural(incident.members, 'device')}</span>
            <span className="pill bg-raise text-fg2">
              {regionName(incident.region)} {percent(incident.share)}
            </span>
            <span className="cap ml-auto whitespace-nowrap">
              {moment(incident.opened, now)} · {age}
            </span>
            {shares && <Sparkline values={shares} tone={tone[kindOf(incident)]} width={56} height={20} />}
          </span>
        </span>
      </Link>
    </li>
  );
}
