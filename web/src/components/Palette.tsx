import { useNavigate } from '@tanstack/react-router';
import { Command } from 'cmdk';
import { Activity, Cpu, Globe2, LayoutGrid, Pause, Play, Search, Server, Siren, SunMoon } from 'lucide-react';
import { Dialog } from 'radix-ui';
import { useState } from 'react';
import { useDeviceSearch, useIncidents, useRegions } from '../api/queries';
import type { DeviceSummary } from '../api/types';
import { compact, percent } from '../format/number';
import { regionName, regionPath } from '../format/words';
import { useLive, useLiveStore } from '../live/context';
import { Shape } from './StateMark';
import { toggleTheme } from './theme';
import { useDebounced } from './useDebounced';

const shown = { devices: 6, regions: 5, incidents: 4 };

const item =
  'flex h-9 cursor-pointer items-center gap-2.5 rounded-control px-2.5 data-[selected=true]:bg-raise';
const group =
  '[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-tiny [&_[cmdk-group-heading]]:text-fg3';

const pages = [
  { to: '/', text: 'Overview', icon: LayoutGrid },
  { to: '/devices', text: 'Devices', icon: Cpu },
  { to: '/incidents', text: 'Incidents', icon: Siren },
  { to: '/live', text: 'Live events', icon: Activity },
  { to: '/cluster', text: 'Cluster', icon: Server },
] as const;

const contains = (text: string, words: string): boolean => text.toLowerCase().includes(words.toLowerCase());

function Hint({ children }: { children: React.ReactNode }) {
  return <span className="num ml-auto truncate pl-4 text-small text-fg3">{children}</span>;
}

function DeviceItem({ device, onSelect }: { device: DeviceSummary; onSelect: () => void }) {
  const flapping = device.overlays.includes('flapping');
  return (
    <Command.Item value={`device ${device.id}`} className={item} onSelect={onSelect}>
      <Shape of={flapping ? 'flapping' : device.state} />
      <span className="mono">{device.id}</span>
      <Hint>{[regionName(device.region), device.model].filter(Boolean).join(' · ')}</Hint>
    </Command.Item>
  );
}

/** Find a device by the beginning of its id, a region, an incident, a page or an action, from the keyboard. */
export function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('');
  const words = text.trim();
  const prefix = useDebounced(words);
  const navigate = useNavigate();
  const store = useLiveStore();
  const paused = useLive((live) => live.pausedAt !== null);
  const search = useDeviceSearch(prefix, shown.devices);
  const regions = useRegions().data?.regions ?? [];
  const incidents = useIncidents().data ?? [];

  const run = (action: () => unknown) => () => {
    onClose();
    void action();
  };
  const devices = words ? (search.data?.devices ?? []) : [];
  const foundRegions = words ? regions.filter((region) => contains(`${region.region} ${regionPath(region.region)}`, words)) : [];
  const foundIncidents = incidents.filter((incident) =>
    words ? contains(`${incident.id} ${incident.title}`, words) : incident.state === 'open',
  );
  const foundPages = pages.filter((page) => contains(page.text, words));
  const matched = search.data?.matched;

  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/55" />
        <Dialog.Content
          className="fixed top-[10vh] left-1/2 z-50 w-[min(600px,calc(100vw-16px))] -translate-x-1/2 overflow-hidden rounded-panel bg-panel outline-none"
          style={{ boxShadow: 'var(--pop)' }}
          aria-describedby={undefined}
        >
          <Dialog.Title className="sr-only">Search</Dialog.Title>
          <Command shouldFilter={false} label="Search" loop>
            <div className="flex h-12 items-center gap-2.5 border-b border-line px-4">
              <Search size={16} className="text-fg3" aria-hidden="true" />
              <Command.Input
                autoFocus
                value={text}
                onValueChange={setText}
                placeholder="Device id, region, incident, page…"
                className="min-w-0 flex-1 text-[14px] outline-none placeholder:text-fg3"
              />
              <kbd className="kbd">esc</kbd>
            </div>
            <Command.List className="max-h-[56vh] overflow-auto p-1.5">
              <Command.Empty className="px-2.5 py-4 text-fg2">
                {search.isFetching ? 'Searching…' : 'Nothing found. Devices are found by the beginning of their id.'}
              </Command.Empty>
              {devices.length > 0 && (
                <Command.Group className={group} heading={matched == null ? 'Devices' : `Devices · ${compact(matched)} match`}>
                  {devices.map((device) => (
                    <DeviceItem key={device.id} device={device} onSelect={run(() => navigate({ to: '/devices/$id', params: { id: device.id } }))} />
                  ))}
                  <Command.Item value="all devices" className={item} onSelect={run(() => navigate({ to: '/devices', search: { q: words } }))}>
                    <Cpu size={15} className="text-fg3" aria-hidden="true" />
                    <span>
                      All devices whose id begins with <span className="mono text-accent">{words}</span>
                    </span>
                  </Command.Item>
                </Command.Group>
              )}
              {foundRegions.length > 0 && (
                <Command.Group className={group} heading="Regions">
                  {foundRegions.slice(0, shown.regions).map((region) => (
                    <Command.Item key={region.region} value={`region ${region.region}`} className={item} onSelect={run(() => navigate({ to: '/devices', search: { region: region.region } }))}>
                      <Globe2 size={15} className="text-fg3" aria-hidden="true" />
                      {regionPath(region.region)}
                      <Hint>
                        {compact(region.counts.total)} devices · {percent(region.offline_share)} offline
                      </Hint>
                    </Command.Item>
                  ))}
                </Command.Group>
              )}
              {foundIncidents.length > 0 && (
                <Command.Group className={group} heading={words ? 'Incidents' : 'Open incidents'}>
                  {foundIncidents.slice(0, shown.incidents).map((incident) => (
                    <Command.Item key={incident.id} value={`incident ${incident.id}`} className={item} onSelect={run(() => navigate({ to: '/incidents/$id', params: { id: incident.id } }))}>
                      <Siren size={15} className={incident.state === 'open' ? 'text-bad' : 'text-fg3'} aria-hidden="true" />
                      <span className="truncate">{incident.title}</span>
                      <Hint>{incident.state}</Hint>
                    </Command.Item>
                  ))}
                </Command.Group>
              )}
              {foundPages.length > 0 && (
                <Command.Group className={group} heading="Go to">
                  {foundPages.map(({ to, text: name, icon: Icon }) => (
                    <Command.Item key={to} value={`page ${to}`} className={item} onSelect={run(() => navigate({ to }))}>
                      <Icon size={15} className="text-fg3" aria-hidden="true" />
                      {name}
                    </Command.Item>
                  ))}
                </Command.Group>
              )}
              {contains('switch theme dark light pause resume live updates', words) && (
                <Command.Group className={group} heading="Actions">
                  <Command.Item value="action theme" className={item} onSelect={run(toggleTheme)}>
                    <SunMoon size={15} className="text-fg3" aria-hidden="true" />
                    Switch theme
                  </Command.Item>
                  <Command.Item value="action pause" className={item} onSelect={run(() => (paused ? store.resume() : store.pause()))}>
                    {paused ? <Play size={15} className="text-fg3" aria-hidden="true" /> : <Pause size={15} className="text-fg3" aria-hidden="true" />}
                    {paused ? 'Resume live updates' : 'Pause live updates'}
                  </Command.Item>
                </Command.Group>
              )}
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
