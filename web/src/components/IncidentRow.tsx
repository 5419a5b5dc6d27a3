import { Link } from '@tanstack/react-router';
import type { Incident } from '../api/types';
import { Sparkline } from '../charts/Sparkline';
import { percent } from '../format/number';
import { duration, moment } from '../format/time';
import { causeKindWord, plural, regionName } from '../format/words';
import { useNow } from './now';

const bar = { critical: 'bg-bad-fill', warning: 'bg-warn-fill', info: 'bg-unknown-fill', resolved: 'bg-ok-fill' };
const pill = { critical: 'bg-bad-soft text-bad', warning: 'bg-warn-soft text-warn', info: 'bg-raise text-fg2', resolved: 'bg-ok-soft text-ok' };
const word = { critical: 'Critical', warning: 'Warning', info: 'Info', resolved: 'Resolved' };
const tone = { critical: 'bad', warning: 'warn', info: 'accent', resolved: 'ok' } as const;

/** The sparkline's scale reaches at least the rule's threshold: the usual one per cent is not drawn as a mountain. */
const scaleLeast = 0.12;

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
          <span className="num mt-1.5 flex flex-wrap items-end gap-1.5">
            <span className="pill bg-raise text-fg2">{causeKindWord[incident.cause]}</span>
            <span className="pill bg-raise text-fg2">{plural(incident.members, 'device')}</span>
            {incident.region && (
              <span className="pill bg-raise text-fg2">
                {regionName(incident.region)} {percent(incident.share)}
              </span>
            )}
            <span className="cap ml-auto whitespace-nowrap">
              {moment(incident.opened, now)} · {age}
            </span>
            {shares && (
              <span className="max-desk:hidden">
                <Sparkline values={shares} tone={tone[kindOf(incident)]} width={56} height={20} most={Math.max(scaleLeast, ...shares.map((share) => share ?? 0))} />
              </span>
            )}
          </span>
        </span>
      </Link>
    </li>
  );
}
