import { useQueryClient } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { useDevice, useTransitions } from '../../api/queries';
import type { Device } from '../../api/types';
import { Loaded } from '../../components/States';
import { CommandsPanel } from './CommandsPanel';
import { ConnectionPanel } from './ConnectionPanel';
import { DeviceHeader } from './DeviceHeader';
import { EventsPanel } from './EventsPanel';
import { ExplainPanel } from './ExplainPanel';
import { rangeOf, type RangeKey } from './ranges';
import { ShadowPanel } from './ShadowPanel';
import { TelemetryPanel } from './TelemetryPanel';

/** The stream says that the device has changed; what only REST tells of it is asked again then. */
function useFollow(device: Device) {
  const queries = useQueryClient();
  const first = useRef(true);
  const { id, state, since, epoch, shadow_version: version } = device;
  useEffect(() => {
    if (first.current) return;
    void queries.invalidateQueries({ queryKey: ['device', id, 'transitions'] });
    void queries.invalidateQueries({ queryKey: ['device', id, 'explain'] });
  }, [queries, id, state, since, epoch]);
  useEffect(() => {
    if (!first.current) void queries.invalidateQueries({ queryKey: ['device', id, 'shadow'] });
    first.current = false;
  }, [queries, id, version]);
}

function Device({ device }: { device: Device }) {
  const [range, setRange] = useState<RangeKey>('1h');
  const transitions = useTransitions(device.id, rangeOf(range));
  useFollow(device);
  return (
    <div className="flex flex-col gap-3">
      <DeviceHeader device={device} />
      <ConnectionPanel query={transitions} range={range} onRange={setRange} />
      <ExplainPanel id={device.id} />
      <div className="grid items-start gap-3 wide:grid-cols-[minmax(0,1.7fr)_minmax(0,1fr)]">
        <TelemetryPanel device={device} range={range} />
        <CommandsPanel id={device.id} />
      </div>
      <ShadowPanel id={device.id} />
      <EventsPanel query={transitions} />
    </div>
  );
}

export function DevicePage() {
  const { id } = useParams({ from: '/devices/$id' });
  const device = useDevice(id);
  return (
    <Loaded query={device} what={`Device ${id}`} rows={8}>
      {(data) => <Device key={id} device={data} />}
    </Loaded>
  );
}
