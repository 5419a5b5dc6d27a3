import { Pencil } from 'lucide-react';
import { useState } from 'react';
import { ApiError } from '../../api/client';
import { useShadow, useUpdateDesired } from '../../api/queries';
import type { Json, JsonObject, Shadow } from '../../api/types';
import { Ago } from '../../components/Ago';
import { Panel } from '../../components/Panel';
import { Loaded } from '../../components/States';
import { integer } from '../../format/number';
import { plural } from '../../format/words';
import { checkDesired, differences, prettyLines, updateBetween, type Difference } from './shadowEdit';

const pretty = (value: JsonObject | undefined): string => JSON.stringify(value ?? {}, null, 2);
const brief = (value: Json | undefined): string => (value === undefined ? 'not reported' : JSON.stringify(value));

const belongs = (path: string, differing: Difference[]): boolean =>
  differing.some((item) => path === item.path || path.startsWith(`${item.path}.`));

function Document({ value, differing, tone }: { value: JsonObject | undefined; differing: Difference[]; tone: string }) {
  if (!value) return <p className="px-3.5 py-2 text-fg3">empty</p>;
  return (
    <ol className="mono overflow-x-auto pb-2 leading-[21px]" tabIndex={0}>
      {prettyLines(value).map((line, index) => (
        <li key={index} className={`flex gap-3 px-3.5 whitespace-pre ${belongs(line.path, differing) ? tone : ''}`}>
          <span className={`w-5 shrink-0 text-right select-none ${belongs(line.path, differing) ? '' : 'text-fg3'}`} aria-hidden="true">
            {index + 1}
          </span>
          {line.text}
        </li>
      ))}
    </ol>
  );
}

function Head({ title, note, children }: { title: string; note?: React.ReactNode; children?: React.ReactNode }) {
  return (
    <div className="flex h-9 items-center gap-2 px-3.5">
      <h3 className="font-medium">{title}</h3>
      {note && <span className="cap num truncate">{note}</span>}
      <div className="ml-auto flex gap-1.5">{children}</div>
    </div>
  );
}

interface EditorProps {
  id: string;
  shadow: Shadow | null;
  onClose: () => void;
}

/** Edits against the version that was there when it was opened; a document that changed since is a conflict, not overwritten. */
function Editor({ id, shadow, onClose }: EditorProps) {
  const [base, setBase] = useState(shadow);
  const [text, setText] = useState(pretty(shadow?.state.desired));
  const update = useUpdateDesired(id);
  const checked = checkDesired(text);
  const patch = checked.ok ? updateBetween(base?.state.desired ?? {}, checked.desired) : null;
  const changes = patch ? Object.keys(patch).length : 0;
  const conflict = update.error instanceof ApiError && update.error.status === 409;
  const moved = base !== null && shadow !== null && shadow.version !== base.version;

  const apply = () => {
    if (patch) update.mutate({ desired: patch, version: base?.version }, { onSuccess: onClose });
  };
  const rebase = () => {
    setBase(shadow);
    update.reset();
  };
  return (
    <>
      <Head title="Desired" note={base ? `editing v${integer(base.version)}` : 'new document'}>
        <button type="button" className="button" onClick={onClose}>
          Discard
        </button>
        <button type="button" className="button button-primary" disabled={changes === 0 || update.isPending || conflict} onClick={apply}>
          {update.isPending ? 'Applying…' : 'Apply'}
        </button>
      </Head>
      <div className="px-3.5 pb-3">
        <textarea
          className="field"
          rows={Math.min(24, Math.max(8, text.split('\n').length + 1))}
          value={text}
          spellCheck={false}
          aria-label="Desired state, JSON"
          aria-invalid={!checked.ok}
          aria-describedby="desired-note"
          onChange={(event) => setText(event.target.value)}
        />
        <div id="desired-note" className="mt-1.5 text-small" aria-live="polite">
          {!checked.ok && <p className="text-bad">{checked.problem}</p>}
          {patch && changes > 0 && !update.error && (
            <p className="text-fg2">
              Sends <span className="mono break-all text-fg">{JSON.stringify(patch)}</span>
            </p>
          )}
          {patch && changes === 0 && <p className="text-fg3">Nothing changed. A key that you remove is deleted.</p>}
          {(conflict || (moved && !update.error)) && (
            <p className="text-warn">
              {conflict ? 'Version conflict: ' : ''}the shadow has changed since you began{shadow ? ` and is now at version ${integer(shadow.version)}` : ''}.{' '}
              <button type="button" className="cursor-pointer underline underline-offset-3" onClick={rebase}>
                Keep my text and go on from the new version
              </button>
            </p>
          )}
          {update.error && !conflict && <p className="text-bad">{update.error.message}</p>}
        </div>
      </div>
    </>
  );
}

function Delta({ differing }: { differing: Difference[] }) {
  return (
    <>
      <Head title="Delta" note={differing.length ? `${plural(differing.length, 'key')} waiting for the device` : undefined} />
      {differing.length === 0 ? (
        <p className="px-3.5 pb-3 text-fg2">The device reports everything that is desired.</p>
      ) : (
        <ul className="flex flex-col gap-2 px-3.5 pb-3">
          {differing.map((item) => (
            <li key={item.path} className="mono rounded-control border border-line px-2.5 py-1.5 break-all">
              <span className="block">{item.path}</span>
              <span className="text-bad">{brief(item.reported)}</span> <span className="text-fg3">→</span> <span className="text-ok">{brief(item.desired)}</span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** What the device says it is, what it should be, and what is still to do. */
export function ShadowPanel({ id }: { id: string }) {
  const query = useShadow(id);
  const [editing, setEditing] = useState(false);
  const shadow = query.data;
  return (
    <Panel
      title="Shadow"
      caption={
        shadow ? (
          <>
            version {integer(shadow.version)} · changed <Ago time={shadow.timestamp * 1000} />
          </>
        ) : shadow === null ? (
          'none yet'
        ) : undefined
      }
    >
      <Loaded query={query} what="The shadow could not be read">
        {(data) => {
          const differing = differences(data?.state.delta ?? {}, data?.state.reported);
          return (
            <div className="grid divide-line max-wide:divide-y wide:grid-cols-[1fr_1fr_0.85fr] wide:divide-x">
              <div className="min-w-0">
                <Head title="Reported" />
                <Document value={data?.state.reported} differing={differing} tone="bg-bad-soft text-bad" />
              </div>
              <div className="min-w-0">
                {editing ? (
                  <Editor id={id} shadow={data} onClose={() => setEditing(false)} />
                ) : (
                  <>
                    <Head title="Desired">
                      <button type="button" className="button" onClick={() => setEditing(true)}>
                        <Pencil size={13} aria-hidden="true" />
                        Edit
                      </button>
                    </Head>
                    <Document value={data?.state.desired} differing={differing} tone="bg-ok-soft text-ok" />
                  </>
                )}
              </div>
              <div className="min-w-0">
                <Delta differing={differing} />
              </div>
            </div>
          );
        }}
      </Loaded>
    </Panel>
  );
}
