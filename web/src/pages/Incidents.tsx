import { useState } from 'react';
import { useIncidents, useRegionSeries } from '../api/queries';
import { IncidentRow } from '../components/IncidentRow';
import { Panel } from '../components/Panel';
import { Segmented } from '../components/Segmented';
import { Empty, Loaded } from '../components/States';

type Shown = 'open' | 'resolved' | 'all';

const choices = [
  { value: 'open', text: 'Open' },
  { value: 'resolved', text: 'Resolved' },
  { value: 'all', text: 'All' },
] as const;

export function Incidents() {
  const incidents = useIncidents();
  const series = useRegionSeries(60).data?.regions;
  const [shown, show] = useState<Shown>('all');
  const open = incidents.data?.filter((incident) => incident.state === 'open').length ?? 0;
  const resolved = (incidents.data?.length ?? 0) - open;
  return (
    <Panel
      title="Incidents"
      caption={incidents.data && `${open} open · ${resolved} resolved · one cause, one incident`}
      actions={<Segmented label="Which incidents" value={shown} options={choices} onChange={show} />}
      className="max-w-[880px]"
    >
      <Loaded query={incidents} what="The incidents could not be read" rows={6}>
        {(all) => {
          const list = shown === 'all' ? all : all.filter((incident) => incident.state === shown);
          if (list.length === 0) {
            return (
              <Empty title={shown === 'all' ? 'No incident so far' : `No ${shown} incident`}>
                One opens when more than 10% of a region with at least 20 devices is offline for 10 s, and resolves under 8%.
              </Empty>
            );
          }
          return (
            <ul className="fades">
              {list.map((incident) => (
                <IncidentRow key={incident.id} incident={incident} shares={series?.find((line) => line.region === incident.region)?.offline_share} />
              ))}
            </ul>
          );
        }}
      </Loaded>
    </Panel>
  );
}
