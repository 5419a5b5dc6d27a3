import { useState } from 'react';
import { ApiError } from '../../api/client';
import { useSendCommand } from '../../api/queries';
import type { Device, JsonObject } from '../../api/types';
import { Modal } from '../../components/Modal';
import { duration } from '../../format/time';
import { checkDesired } from './shadowEdit';

export type CommandKind = 'reboot' | 'set-config' | 'any';

const titles: Record<CommandKind, string> = { reboot: 'Reboot', 'set-config': 'Set config', any: 'Send command' };
const examples: Record<CommandKind, string> = { reboot: '{}', 'set-config': '{\n  "report_interval_s": 60\n}', any: '{}' };

const waits = [
  { seconds: 300, text: '5 minutes' },
  { seconds: 3600, text: '1 hour' },
  { seconds: 86_400, text: '1 day' },
  { seconds: 604_800, text: '7 days' },
];
const answerWithin_s = 60;

/** One key an opened dialog: pressing the button twice, or again after a lost answer, still is one command. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is missing on plain-HTTP addresses
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function explain(error: Error): string {
  if (error instanceof ApiError && error.status === 403) return 'Sending commands needs a token with the operator role.';
  return error.message;
}

interface Props {
  kind: CommandKind;
  device: Device;
  onClose: () => void;
}

export function CommandDialog({ kind, device, onClose }: Props) {
  const [key] = useState(newKey);
  const [name, setName] = useState(kind === 'any' ? '' : kind);
  const [text, setText] = useState(examples[kind]);
  const [wait_s, setWait] = useState(300);
  const send = useSendCommand(device.id);
  const checked = checkDesired(text);
  const away = device.state !== 'online';

  const submit = (parameters: JsonObject) =>
    send.mutate({ name: name.trim(), parameters, expires_in_s: wait_s, timeout_s: answerWithin_s, idempotency_key: key }, { onSuccess: onClose });

  return (
    <Modal
      open
      onOpenChange={(open) => !open && onClose()}
      title={titles[kind]}
      description={
        <>
          To <span className="mono text-fg">{device.id}</span>
          {away ? `, which is ${device.state === 'offline' ? 'offline' : 'not online'}: it is queued and goes out when the device comes back.` : ', which is online and gets it at once.'}
        </>
      }
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (checked.ok && name.trim()) submit(checked.desired);
        }}
      >
        {kind === 'any' && (
          <label className="block">
            <span className="cap mb-1 block">Name</span>
            <input className="field mono" value={name} maxLength={64} placeholder="fetch-logs" autoFocus onChange={(event) => setName(event.target.value)} />
          </label>
        )}
        {kind !== 'reboot' && (
          <label className="block">
            <span className="cap mb-1 block">Parameters, JSON</span>
            <textarea className="field" rows={6} value={text} spellCheck={false} aria-invalid={!checked.ok} onChange={(event) => setText(event.target.value)} />
            {!checked.ok && <span className="mt-1 block text-small text-bad">{checked.problem}</span>}
          </label>
        )}
        <label className="block">
          <span className="cap mb-1 block">Expires if the device does not get it within</span>
          <select className="field" value={wait_s} onChange={(event) => setWait(Number(event.target.value))}>
            {waits.map((choice) => (
              <option key={choice.seconds} value={choice.seconds}>
                {choice.text}
              </option>
            ))}
          </select>
        </label>
        <p className="cap">Times out when it has no answer {duration(answerWithin_s * 1000)} after it was sent.</p>
        {send.error && (
          <p role="alert" className="text-bad">
            {explain(send.error)}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className={`button ${kind === 'reboot' ? 'button-danger' : 'button-primary'}`} disabled={!checked.ok || !name.trim() || send.isPending}>
            {send.isPending ? 'Sending…' : kind === 'reboot' ? 'Reboot device' : titles[kind]}
          </button>
        </div>
      </form>
    </Modal>
  );
}
