import { Link } from '@tanstack/react-router';
import { ChangeRow } from '../../components/ChangeRow';
import { Panel } from '../../components/Panel';
import { Empty } from '../../components/States';
import { useLive, useTopic } from '../../live/context';

const rowsMost = 10;

export function changeCaption(rate: number, sampled: number): string {
  const perSecond = `${rate < 10 ? rate.toFixed(1) : rate.toFixed(0)}/s`;
  return sampled > 1 ? `${perSecond} · 1 of ${sampled} shown` : perSecond;
}

export function LiveChanges() {
  useTopic('changes');
  const changes = useLive((live) => live.changes);
  const rate = useLive((live) => live.changeRate);
  const sampled = useLive((live) => live.sampled);
  return (
    <Panel
      title="Live status changes"
      caption={changeCaption(rate, sampled)}
      actions={
        <Link to="/live" className="button button-ghost">
          All
        </Link>
      }
    >
      {changes.length === 0 ? (
        <Empty title="No change since this page was opened">Connects, disconnects and timeouts appear here as they happen.</Empty>
      ) : (
        <ul className="fades px-3.5 py-2">
          {changes.slice(0, rowsMost).map((change) => (
            <ChangeRow key={change.sequence} change={change} />
          ))}
        </ul>
      )}
    </Panel>
  );
}
