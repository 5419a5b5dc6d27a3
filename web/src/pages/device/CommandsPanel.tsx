import { useCommands } from '../../api/queries';
import type { Command, CommandStatus } from '../../api/types';
import { isFinished } from '../../api/queries';
import { useNow } from '../../components/now';
import { Panel } from '../../components/Panel';
import { Empty, Loaded } from '../../components/States';
import { dateTime, duration, moment } from '../../format/time';
import { commandWord, plural } from '../../format/words';
import { stepsOf, type Step } from './commandSteps';

const pill: Record<CommandStatus, string> = {
  QUEUED: 'bg-accent-soft text-accent',
  SENT: 'bg-accent-soft text-accent',
  IN_PROGRESS: 'bg-accent-soft text-accent',
  SUCCEEDED: 'bg-ok-soft text-ok',
  FAILED: 'bg-bad-soft text-bad',
  REJECTED: 'bg-bad-soft text-bad',
  TIMED_OUT: 'bg-warn-soft text-warn',
  EXPIRED: 'bg-warn-soft text-warn',
};

const bar: Record<Step['tone'], string> = { done: 'bg-ok-fill', now: 'bg-accent', failed: 'bg-bad-fill', open: 'bg-line2' };

function parametersText(command: Command): string {
  return Object.entries(command.parameters ?? {}).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ');
}

function timing(command: Command, now: number): string {
  if (!isFinished(command)) return `${moment(command.created, now)} · expires in ${duration(command.expires - now)}`;
  const end = command.steps.at(-1)?.time ?? command.created;
  return `${moment(command.created, now)} · took ${duration(end - command.created)}`;
}

function CommandItem({ command }: { command: Command }) {
  const now = useNow();
  return (
    <li className="border-b border-line px-3.5 py-3 last:border-b-0">
      <div className="flex items-center gap-2">
        <span className="font-semibold">{command.name}</span>
        <span className="mono min-w-0 flex-1 truncate text-fg3">{parametersText(command)}</span>
        <span className={`pill ${pill[command.status]}`}>{commandWord[command.status]}</span>
      </div>
      <ol className="mt-2 flex gap-1">
        {stepsOf(command).map((step) => (
          <li key={step.word} className="flex-1" title={step.time ? dateTime(step.time) : undefined}>
            <span className={`block h-[3px] rounded-full ${bar[step.tone]}`} aria-hidden="true" />
            <span className={`mt-1 block text-tiny ${step.tone === 'open' ? 'text-fg3' : 'text-fg2'}`}>{step.word}</span>
          </li>
        ))}
      </ol>
      {command.reason && (
        <p className="mt-1 text-small text-warn">
          {command.reason.description || command.reason.code}
        </p>
      )}
      <p className="cap num mt-1 flex justify-between gap-2">
        <span className="truncate">by {command.created_by || 'unknown'}</span>
        <span className="whitespace-nowrap">{timing(command, now)}</span>
      </p>
    </li>
  );
}

export function CommandsPanel({ id }: { id: string }) {
  const commands = useCommands(id);
  const list = commands.data?.commands;
  const running = list?.filter((command) => !isFinished(command)).length ?? 0;
  return (
    <Panel title="Commands" caption={list && (running ? `${running} under way` : `newest ${plural(list.length, 'command')}`)}>
      <Loaded query={commands} what="The commands could not be read">
        {({ commands: all }) =>
          all.length === 0 ? (
            <Empty title="No command yet">Reboot, Set config and Send command are above. A device that is away gets its command when it comes back, until it expires.</Empty>
          ) : (
            <ul className="max-h-[560px] overflow-auto" tabIndex={0} aria-label="Commands, newest first">
              {all.map((command) => (
                <CommandItem key={command.execution_id} command={command} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  );
}
