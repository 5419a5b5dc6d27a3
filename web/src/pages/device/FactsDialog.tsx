import { useState } from 'react';
import { ApiError } from '../../api/client';
import { useChangeFacts } from '../../api/queries';
import type { Device, DeviceFacts } from '../../api/types';
import { Modal } from '../../components/Modal';
import { changedFacts, coordinateProblem, factsText, type FactsText } from './facts';

function explain(error: Error): string {
  if (error instanceof ApiError && error.status === 403) return 'Changing a device needs a token with the operator role.';
  return error.message;
}

const fields: { name: keyof FactsText; label: string; placeholder: string }[] = [
  { name: 'region', label: 'Region, as a path', placeholder: 'in/karnataka' },
  { name: 'model', label: 'Model', placeholder: 'ax-2' },
  { name: 'firmware', label: 'Firmware', placeholder: '2.4.1' },
  { name: 'lat', label: 'Latitude', placeholder: '14.7' },
  { name: 'lon', label: 'Longitude', placeholder: '76.1' },
];

/** What the registry knows of a device; only what was changed is sent. */
export function FactsDialog({ device, onClose }: { device: Device; onClose: () => void }) {
  const [before] = useState(() => factsText(device));
  const [text, setText] = useState(before);
  const update = useChangeFacts(device.id);
  const problem = coordinateProblem(text);
  const facts: DeviceFacts = problem ? {} : changedFacts(before, text);
  const nothing = Object.keys(facts).length === 0;
  return (
    <Modal
      open
      onOpenChange={(open) => !open && onClose()}
      title="Edit device"
      description={
        <>
          What the registry knows of <span className="mono text-fg">{device.id}</span>. Its region decides where it is counted.
        </>
      }
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (!nothing) update.mutate(facts, { onSuccess: onClose });
        }}
      >
        <div className="grid grid-cols-2 gap-3">
          {fields.map(({ name, label, placeholder }) => (
            <label key={name} className={`block ${name === 'region' ? 'col-span-2' : ''}`}>
              <span className="cap mb-1 block">{label}</span>
              <input className="field" value={text[name]} placeholder={placeholder} maxLength={128} onChange={(event) => setText({ ...text, [name]: event.target.value })} />
            </label>
          ))}
        </div>
        {problem && <p className="text-small text-bad">{problem}</p>}
        {update.error && (
          <p role="alert" className="text-bad">
            {explain(update.error)}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button-primary" disabled={nothing || update.isPending}>
            {update.isPending ? 'Saving…' : 'Save'}
          </button>
        </div>
      </form>
    </Modal>
  );
}
