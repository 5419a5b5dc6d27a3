import type { Command, CommandStatus } from '../../api/types';

/** The four stations of a command, as the reader sees them. */
export interface Step {
  word: string;
  tone: 'done' | 'now' | 'failed' | 'open';
  time: number | null;
}

const stations: CommandStatus[] = ['QUEUED', 'SENT', 'IN_PROGRESS', 'SUCCEEDED'];
const words = ['Queued', 'Sent', 'Running', 'Done'];

/** A command that ended badly failed at the first station that it did not reach. */
export function stepsOf(command: Command): Step[] {
  const times = new Map(command.steps.map((step) => [step.status, step.time]));
  if (!times.has('QUEUED')) times.set('QUEUED', command.created);
  const ended = !stations.includes(command.status);
  const succeeded = command.status === 'SUCCEEDED';
  const furthest = Math.max(...stations.map((station, index) => (times.has(station) ? index : -1)));
  return stations.map((station, index) => {
    const time = times.get(station) ?? null;
    // A quick answer comes without the steps between.
    if (succeeded || index < furthest || (index === furthest && ended)) return { word: words[index] ?? '', tone: 'done', time };
    if (index === furthest) return { word: words[index] ?? '', tone: 'now', time };
    if (ended && index === furthest + 1) return { word: words[index] ?? '', tone: 'failed', time: command.steps.at(-1)?.time ?? null };
    return { word: words[index] ?? '', tone: 'open', time };
  });
}
