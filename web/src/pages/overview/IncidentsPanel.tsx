import { Link } from '@tanstack/react-router';
import { useIncidents, useRegionSeries } from '../../api/queries';
import { IncidentRow } from '../../components/IncidentRow';
import { Panel } from '../../components/Panel';
import { Empty, Loaded } from '../../components/States';

const rowsMost = 5;
const minutes = 60;

export function IncidentsPanel() {
  const incidents = useIncidents();
  const series = useRegionSeries(minutes).data?.regions;
  const open = incidents.data?.filter((incident) => incident.state === 'open').length ?? 0;
  const resolved = (incidents.data?.length ?? 0) - open;
  return (
    <Panel
      title="Incidents"
      caption={incidents.data && `${open} open · ${resolved} resolved`}
      actions={
        <Link to="/incidents" className="button button-ghost">
          All
        </Link>
      }
    >
      <Loaded query={incidents} what="The incidents could not be read">
        {(all) =>
          all.length === 0 ? (
            <Empty title="No incidents">One opens when more than 10% of a region with at least 20 devices is offline for 10 s.</Empty>
          ) : (
            <ul className="fades overflow-auto">
              {all.slice(0, rowsMost).map((incident) => (
                <IncidentRow key={incident.id} incident={incident} shares={series?.find((line) => line.region === incident.region)?.offline_share} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  );
}
