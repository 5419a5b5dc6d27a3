import { useFleet } from '../api/queries';
import { Empty } from '../components/States';
import { FleetAt } from './overview/FleetAt';
import { HealthStrip } from './overview/HealthStrip';
import { IncidentsPanel } from './overview/IncidentsPanel';
import { LiveChanges } from './overview/LiveChanges';
import { MapPanel } from './overview/MapPanel';
import { RegionHeat } from './overview/RegionHeat';

/** The first run: there is nothing to see until something connects. */
function NoDevices() {
  return (
    <section className="panel" aria-label="First device">
      <Empty title="Connect your first device">
        <p>Any MQTT client becomes a device with its client id. Muster's MQTT port was printed when it started:</p>
        <pre className="mono my-2 overflow-auto rounded-control bg-raise p-2.5 text-fg">
          {`mosquitto_pub -h ${location.hostname} -i demo-1 -t telemetry/demo-1 -m '{"battery":81}'`}
        </pre>
        <p>It appears here within a second.</p>
      </Empty>
    </section>
  );
}

export function Overview() {
  const empty = useFleet().data?.counts.total === 0;
  return (
    <div className="flex flex-col gap-3">
      {empty && <NoDevices />}
      <HealthStrip />
      <div className="grid gap-3 wide:grid-cols-[minmax(0,1.72fr)_minmax(0,1fr)]">
        <MapPanel />
        <IncidentsPanel />
        <RegionHeat />
        <LiveChanges />
      </div>
      {!empty && <FleetAt />}
    </div>
  );
}
