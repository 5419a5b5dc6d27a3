import { Link } from '@tanstack/react-router';
import { Check, Copy, Power, Send, SlidersHorizontal } from 'lucide-react';
import { useState } from 'react';
import type { Device } from '../../api/types';
import { Ago } from '../../components/Ago';
import { useNow } from '../../components/now';
import { StatePill } from '../../components/StateMark';
import { integer } from '../../format/number';
import { dateTime, day, delayText, duration } from '../../format/time';
import { causeWord, regionPath } from '../../format/words';
import { CommandDialog, type CommandKind } from './CommandDialog';

function CopyId({ id }: { id: string }) {
  const [copied, setCopied] = useState(false);
  if (!navigator.clipboard) return null; // plain HTTP from another machine: the id can be selected by hand
  return (
    <button
      type="button"
      className="button button-ghost button-icon"
      aria-label={copied ? 'Copied' : 'Copy the device id'}
      onClick={() => void navigator.clipboard.writeText(id).then(() => setCopied(true))}
      onBlur={() => setCopied(false)}
    >
      {copied ? <Check size={14} /> : <Copy size={14} />}
    </button>
  );
}

function Fact({ name, children, title }: { name: string; children: React.ReactNode; title?: string }) {
  return (
    <div className="min-w-0">
      <dt className="cap">{name}</dt>
      <dd className="truncate" title={title}>
        {children}
      </dd>
    </div>
  );
}

function Facts({ device }: { device: Device }) {
  const now = useNow();
  return (
    <dl className="num mt-3 grid grid-cols-2 gap-x-4 gap-y-2.5 desk:grid-cols-4 wide:grid-cols-8">
      <Fact name="Gateway">
        <span className="mono">{device.gateway || '—'}</span>
      </Fact>
      <Fact name={device.state === 'online' ? 'Online for' : 'In this state for'} title={dateTime(device.since)}>
        {duration(now - device.since)}
      </Fact>
      <Fact name="Detected in">{delayText(device.detected_in_ms)}</Fact>
      <Fact name="Session">
        {integer(device.epoch)}
        {device.keep_alive_s > 0 && <span className="text-fg3"> · keep-alive {device.keep_alive_s} s</span>}
      </Fact>
      <Fact name="Client" title={device.client?.address}>
        {device.client ? `MQTT ${device.client.protocol}` : '—'}
        {device.client && <span className="text-fg3"> · {device.client.address}</span>}
      </Fact>
      <Fact name="Firmware">
        <span className="mono">{device.firmware || '—'}</span>
      </Fact>
      <Fact name="Disconnects">
        {integer(device.disconnects)}
        {device.flap_penalty >= 1 && <span className="text-fg3"> · penalty {integer(device.flap_penalty)}</span>}
      </Fact>
      <Fact name="First seen" title={device.first_seen ? dateTime(device.first_seen) : undefined}>
        {device.first_seen ? day(device.first_seen) : '—'}
      </Fact>
    </dl>
  );
}

export function DeviceHeader({ device }: { device: Device }) {
  const [command, setCommand] = useState<CommandKind | null>(null);
  return (
    <section className="panel p-3.5" aria-label="Device">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-2.5">
        <p className="mono text-[17px] font-medium break-all">{device.id}</p>
        <CopyId id={device.id} />
        <StatePill of={device.state} />
        {device.overlays.map((overlay) => (
          <StatePill key={overlay} of={overlay} />
        ))}
        <div className="ml-auto flex gap-2 max-desk:w-full max-desk:*:flex-1">
          <button type="button" className="button" onClick={() => setCommand('reboot')}>
            <Power size={14} aria-hidden="true" />
            Reboot
          </button>
          <button type="button" className="button" onClick={() => setCommand('set-config')}>
            <SlidersHorizontal size={14} aria-hidden="true" />
            Set config
          </button>
          <button type="button" className="button button-primary" onClick={() => setCommand('any')}>
            <Send size={14} aria-hidden="true" />
            Send command
          </button>
        </div>
      </div>
      <ul className="num fades mt-1 flex flex-wrap gap-x-2 text-fg2 [&>li+li]:before:mr-2 [&>li+li]:before:text-fg3 [&>li+li]:before:content-['·']">
        {device.model && <li>{device.model}</li>}
        <li>
          {device.region ? (
            <Link to="/devices" search={{ region: device.region }} className="link">
              {regionPath(device.region)}
            </Link>
          ) : (
            'no region'
          )}
        </li>
        <li>
          {causeWord(device.cause)} <Ago time={device.since} />
        </li>
        {device.last_seen !== null && (
          <li>
            last heard <Ago time={device.last_seen} />
          </li>
        )}
      </ul>
      <div className="fades">
        <Facts device={device} />
      </div>
      {command && <CommandDialog kind={command} device={device} onClose={() => setCommand(null)} />}
    </section>
  );
}
