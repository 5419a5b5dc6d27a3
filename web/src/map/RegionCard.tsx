import type { Region } from '../api/types';
import { Shape, type Mark } from '../components/StateMark';
import { StateBar } from '../components/StateBar';
import { integer, percent } from '../format/number';
import { regionName, regionPath, stateWord, overlayWord } from '../format/words';

const words: Record<Mark, string> = { ...stateWord, ...overlayWord };

function Row({ of, count, total }: { of: Mark; count: number; total: number }) {
  const bad = of === 'offline' && count > 0;
  return (
    <div className="flex items-center gap-2">
      <Shape of={of} size={8} />
      <dt className="text-fg2">{words[of]}</dt>
      <dd className={`num ml-auto ${bad ? 'text-bad' : ''}`}>
        {integer(count)}
        <span className={bad ? '' : 'text-fg3'}> · {percent(total ? count / total : 0)}</span>
      </dd>
    </div>
  );
}

/** What a mark stands for. */
export function RegionCard({ region }: { region: Region }) {
  const { counts } = region;
  const shown: Exclude<Mark, 'contested'>[] = (['offline', 'unknown', 'never_seen', 'flapping', 'sleeping', 'maintenance'] as const).filter((mark) => counts[mark] > 0);
  return (
    <div className="w-56 rounded-panel border border-line bg-panel p-3" style={{ boxShadow: 'var(--pop)' }}>
      <div className="mb-2 flex items-baseline gap-2">
        <span className="truncate font-semibold" title={regionPath(region.region)}>{regionName(region.region)}</span>
        <span className="mono truncate text-fg3">{region.region}</span>
        <span className="num ml-auto text-fg2">{integer(counts.total)}</span>
      </div>
      <StateBar counts={counts} height={6} />
      <dl className="mt-2 flex flex-col gap-1 text-small">
        {shown.map((mark) => (
          <Row key={mark} of={mark} count={counts[mark]} total={counts.total} />
        ))}
        <Row of="online" count={counts.online} total={counts.total} />
      </dl>
      {region.incident && (
        <p className="mt-2 border-t border-line pt-2 text-small text-fg2">
          Open incident: {percent(region.offline_share)} of its devices count as offline
        </p>
      )}
    </div>
  );
}
