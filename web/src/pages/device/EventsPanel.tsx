import { useState } from 'react';
import type { Transitions } from '../../api/queries';
import type { Transition } from '../../api/types';
import { Panel } from '../../components/Panel';
import { StateText } from '../../components/StateMark';
import { Empty, Loaded } from '../../components/States';
import { clockMs, dateTime, day, delayText, duration } from '../../format/time';
import { causeWord, overlayWord, plural } from '../../format/words';

const pageSize = 50;

function Row({ event, today }: { event: Transition; today: string }) {
  return (
    <tr>
      <td className="mono text-fg2" title={dateTime(event.time)}>
        {day(event.time) === today ? '' : `${day(event.time).replace(/ \d{4}$/, '')} `}
        {clockMs(event.time)}
      </td>
      <td>
        <StateText of={event.state} />
      </td>
      <td className="text-fg2">{causeWord(event.cause)}</td>
      <td className="text-fg2">{event.overlays.map((overlay) => overlayWord[overlay]).join(', ') || '—'}</td>
      <td className="mono text-fg2">{event.gateway || '—'}</td>
      <td className="right num text-fg2">{event.epoch}</td>
      <td className="right num">{event.session_s === null ? '—' : duration(event.session_s * 1000)}</td>
      <td className="right num">{event.detected_in_ms === null ? '—' : delayText(event.detected_in_ms)}</td>
    </tr>
  );
}

/** Every transition of the range; flapping is damped in alerts, never here. */
export function EventsPanel({ query }: { query: { data: Transitions | undefined; error: unknown; refetch: () => unknown } }) {
  const [rows, setRows] = useState(pageSize);
  const all = query.data?.transitions ?? [];
  return (
    <Panel title="Events" caption={query.data && `${plural(all.length, 'status change')} in the range above, newest first`}>
      <Loaded query={query} what="The events could not be read">
        {({ transitions, to }) =>
          transitions.length === 0 ? (
            <Empty title="No status change in this range">The device stayed what it was.</Empty>
          ) : (
            <div className="overflow-x-auto" tabIndex={0} role="region" aria-label="Events, scrollable">
              <table className="rows fades">
                <thead>
                  <tr>
                    <th scope="col">Time</th>
                    <th scope="col">Became</th>
                    <th scope="col">Cause</th>
                    <th scope="col">Also</th>
                    <th scope="col">Gateway</th>
                    <th scope="col" className="right">Session</th>
                    <th scope="col" className="right">Lasted</th>
                    <th scope="col" className="right">Detected in</th>
                  </tr>
                </thead>
                <tbody>
                  {transitions.slice(0, rows).map((event, index) => (
                    <Row key={`${event.time} ${event.epoch} ${event.state} ${index}`} event={event} today={day(to)} />
                  ))}
                </tbody>
              </table>
              {transitions.length > rows && (
                <button type="button" className="button button-ghost m-2" onClick={() => setRows(rows + pageSize * 4)}>
                  Show more ({transitions.length - rows})
                </button>
              )}
            </div>
          )
        }
      </Loaded>
    </Panel>
  );
}
