import { useState } from 'react';
import { useExplanation } from '../../api/queries';
import type { Evidence } from '../../api/types';
import { Panel } from '../../components/Panel';
import { Loaded } from '../../components/States';
import { dateTime } from '../../format/time';

const title: Record<string, string> = {
  last_packet: 'Last packet',
  ping: 'Ping',
  will: 'Will',
  session: 'Session',
  epoch: 'Epoch',
  heartbeat: 'Silence allowed',
  ticks: 'Ticks',
  damping: 'Damping',
  contest: 'Take-overs',
  sleep: 'Sleep',
  maintenance: 'Maintenance',
  rule: 'Rule',
};

function Item({ evidence }: { evidence: Evidence }) {
  return (
    <div className="contents">
      <dt className="text-fg3" title={evidence.time === null ? undefined : dateTime(evidence.time)}>
        {title[evidence.kind] ?? evidence.kind.replaceAll('_', ' ')}
      </dt>
      <dd className="text-fg2">{evidence.text}</dd>
    </div>
  );
}

/** Why the device is shown as what it is: the verdict, and on demand what it rests on, in order. */
export function ExplainPanel({ id }: { id: string }) {
  const [open, setOpen] = useState(false);
  const explanation = useExplanation(id);
  return (
    <Panel
      title="Why"
      actions={
        <button type="button" className="button button-ghost" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? 'Hide the evidence' : 'Show the evidence'}
        </button>
      }
    >
      <Loaded query={explanation} what="The explanation could not be read" rows={1}>
        {({ verdict, evidence }) => (
          <div className="px-3.5 py-2.5">
            <p>{verdict}</p>
            {open && (
              <dl className="mt-2.5 grid grid-cols-[max-content_minmax(0,1fr)] gap-x-4 gap-y-1.5 border-t border-line pt-2.5">
                {evidence
                  .filter((one) => one.kind !== 'transition') // the Events panel has them all
                  .map((one, index) => (
                    <Item key={`${one.kind} ${index}`} evidence={one} />
                  ))}
              </dl>
            )}
          </div>
        )}
      </Loaded>
    </Panel>
  );
}
