import type { Overlay, State } from '../api/types';
import { overlayWord, stateWord } from '../format/words';

// Status = shape + colour + word, never colour alone:
// ● online  ■ offline  ◆ flapping  ◌ unknown  ○ never seen  ☾ sleeping  ▲ maintenance  ✕ contested

export type Mark = State | Overlay;

export const markWord: Record<Mark, string> = { ...stateWord, ...overlayWord };

const shapes: Record<Mark, React.ReactNode> = {
  online: <circle cx="5" cy="5" r="4" className="fill-ok-fill" />,
  offline: <rect x="1" y="1" width="8" height="8" rx="1.5" className="fill-bad-fill" />,
  flapping: <path d="M5 0 10 5 5 10 0 5Z" className="fill-warn-fill" />,
  unknown: <circle cx="5" cy="5" r="3.7" className="fill-none stroke-unknown" strokeWidth="1.6" strokeDasharray="2.2 1.7" />,
  never_seen: <circle cx="5" cy="5" r="3.7" className="fill-none stroke-unknown" strokeWidth="1.4" />,
  sleeping: <path d="M6.5.8A4.4 4.4 0 1 0 9.3 7 3.8 3.8 0 0 1 6.5.8Z" className="fill-accent" />,
  maintenance: <path d="M5 .8 9.6 9.2H.4Z" className="fill-accent" />,
  contested: <path d="M1.5 1.5 8.5 8.5M8.5 1.5 1.5 8.5" className="fill-none stroke-warn" strokeWidth="2" strokeLinecap="round" />,
};

export function Shape({ of, size = 9 }: { of: Mark; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 10 10" aria-hidden="true" className="shrink-0">
      {shapes[of]}
    </svg>
  );
}

const textColour: Record<Mark, string> = {
  online: 'text-ok',
  offline: 'text-bad',
  flapping: 'text-warn',
  unknown: 'text-unknown',
  never_seen: 'text-unknown',
  sleeping: 'text-accent',
  maintenance: 'text-accent',
  contested: 'text-warn',
};

const softColour: Record<Mark, string> = {
  online: 'bg-ok-soft',
  offline: 'bg-bad-soft',
  flapping: 'bg-warn-soft',
  unknown: 'bg-unknown-soft',
  never_seen: 'bg-unknown-soft',
  sleeping: 'bg-accent-soft',
  maintenance: 'bg-accent-soft',
  contested: 'bg-warn-soft',
};

/** Shape and word in a row of a table; healthy is quiet. */
export function StateText({ of }: { of: Mark }) {
  return (
    <span className={`inline-flex items-center gap-1.5 ${of === 'online' ? 'text-fg2' : textColour[of]}`}>
      <Shape of={of} />
      {markWord[of]}
    </span>
  );
}

export function StatePill({ of, children }: { of: Mark; children?: React.ReactNode }) {
  return (
    <span className={`pill ${softColour[of]} ${textColour[of]}`}>
      <Shape of={of} />
      {children ?? markWord[of]}
    </span>
  );
}
