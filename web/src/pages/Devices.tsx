import { useNavigate, useSearch } from '@tanstack/react-router';
import { Search, X } from 'lucide-react';
import { useDevices, useFleet, useRegions, type DeviceFilter } from '../api/queries';
import type { Counts, Region } from '../api/types';
import { overlays, states } from '../api/types';
import { Ago } from '../components/Ago';
import { Panel } from '../components/Panel';
import { markWord, Shape, type Mark } from '../components/StateMark';
import { Empty, Loaded } from '../components/States';
import { useTyped } from '../components/useTyped';
import { compact, integer } from '../format/number';
import { plural, regionSegment } from '../format/words';
import { DeviceTable } from './devices/DeviceTable';
import { isFiltered, parseDeviceFilter, toggled } from './deviceFilter';

type Change = (filter: DeviceFilter) => void;

function Choice({ mark, count, chosen, onClick }: { mark: Mark; count: number | undefined; chosen: boolean; onClick: () => void }) {
  return (
    <li>
      <button
        type="button"
        aria-pressed={chosen}
        onClick={onClick}
        className="flex h-7 w-full cursor-pointer items-center gap-2 rounded-small px-2 text-fg2 hover:bg-raise aria-pressed:bg-accent-soft aria-pressed:text-fg"
      >
        <Shape of={mark} size={8} />
        {markWord[mark]}
        <span className="num ml-auto text-small">{count === undefined ? '' : compact(count)}</span>
      </button>
    </li>
  );
}

function RegionChoice({ filter, regions, onChange }: { filter: DeviceFilter; regions: Region[]; onChange: Change }) {
  const sorted = [...regions].sort((a, b) => (a.region < b.region ? -1 : 1));
  const known = !filter.region || sorted.some((region) => region.region === filter.region);
  return (
    <select className="field" aria-label="Region" value={filter.region ?? ''} onChange={(event) => onChange(parseDeviceFilter({ ...filter, region: event.target.value }))}>
      <option value="">All regions</option>
      {!known && <option value={filter.region}>{filter.region}</option>}
      {sorted.map((region) => (
        <option key={region.region} value={region.region}>
          {'\u2003'.repeat(Math.max(0, region.depth - 1)) + regionSegment(region.name || region.region)} ({compact(region.counts.total)})
        </option>
      ))}
    </select>
  );
}

/** The filter beside the list; its counts are those of the fleet, or of the chosen region. */
function Filters({ filter, counts, regions, onChange }: { filter: DeviceFilter; counts: Counts | undefined; regions: Region[]; onChange: Change }) {
  const [model, typeModel] = useTyped(filter.model ?? '', (text) => onChange(parseDeviceFilter({ ...filter, model: text })));
  return (
    <div className="flex flex-col gap-3.5 wide:w-48 wide:shrink-0">
      <div className="grid gap-3.5 max-wide:grid-cols-2">
        <fieldset>
          <legend className="cap mb-1 px-2">Status</legend>
          <ul>
            {states.map((state) => (
              <Choice key={state} mark={state} count={counts?.[state]} chosen={filter.state === state} onClick={() => onChange(toggled(filter, 'state', state))} />
            ))}
          </ul>
        </fieldset>
        <fieldset>
          <legend className="cap mb-1 px-2">And also</legend>
          <ul>
            {overlays.map((overlay) => (
              <Choice key={overlay} mark={overlay} count={overlay === 'contested' ? undefined : counts?.[overlay]} chosen={filter.overlay === overlay} onClick={() => onChange(toggled(filter, 'overlay', overlay))} />
            ))}
          </ul>
        </fieldset>
      </div>
      <div className="grid gap-3.5 max-wide:grid-cols-2">
        <label className="block">
          <span className="cap mb-1 block px-2">Region</span>
          <RegionChoice filter={filter} regions={regions} onChange={onChange} />
        </label>
        <label className="block">
          <span className="cap mb-1 block px-2">Model</span>
          <input className="field" value={model} placeholder="Any model" onChange={(event) => typeModel(event.target.value)} />
        </label>
      </div>
    </div>
  );
}

const criteria: [name: keyof DeviceFilter, label: string][] = [
  ['state', 'status'],
  ['overlay', 'also'],
  ['region', 'region'],
  ['model', 'model'],
];

function SearchBar({ filter, onChange }: { filter: DeviceFilter; onChange: Change }) {
  const [text, typeText] = useTyped(filter.q ?? '', (q) => onChange(parseDeviceFilter({ ...filter, q })));
  return (
    <div className="panel flex min-h-9 flex-wrap focus-within:border-accent items-center gap-1.5 px-2.5 py-1">
      <Search size={14} className="text-fg3" aria-hidden="true" />
      {criteria.map(([name, label]) =>
        filter[name] ? (
          <span key={name} className="pill bg-accent-soft pr-1 text-accent">
            <span className="text-fg2">{label}:</span>
            <span className="mono">{filter[name]}</span>
            <button type="button" className="grid size-4.5 cursor-pointer place-items-center rounded hover:bg-raise" aria-label={`Remove ${label} filter`} onClick={() => onChange(toggled(filter, name, filter[name]))}>
              <X size={11} />
            </button>
          </span>
        ) : null,
      )}
      <input
        className="mono h-7 min-w-40 flex-1 bg-transparent text-body outline-none placeholder:text-fg3"
        placeholder="Device id begins with…"
        aria-label="Device id begins with"
        spellCheck={false}
        value={text}
        onChange={(event) => typeText(event.target.value)}
      />
      {isFiltered(filter) && (
        <button type="button" className="button button-ghost" onClick={() => onChange({})}>
          Clear
        </button>
      )}
    </div>
  );
}

export function Devices() {
  const filter = useSearch({ from: '/devices' });
  const navigate = useNavigate({ from: '/devices' });
  const list = useDevices(filter);
  const fleet = useFleet().data;
  const regions = useRegions().data?.regions ?? [];
  const region = regions.find((candidate) => candidate.region === filter.region);
  const counts = filter.region ? region?.counts : fleet?.counts;
  const change: Change = (next) => void navigate({ search: next, replace: 'q' in next || 'q' in filter });

  const devices = list.data?.pages.flatMap((page) => page.devices);
  const matched = list.data?.pages[0]?.matched ?? null;
  const loaded = devices?.length ?? 0;
  const title = matched !== null ? plural(matched, 'device') : `${integer(loaded)}${list.hasNextPage ? '+' : ''} devices`;
  return (
    <div className="flex flex-col gap-3 wide:h-[calc(100dvh-68px)] wide:flex-row">
      <Filters filter={filter} counts={counts} regions={regions} onChange={change} />
      <div className="flex min-w-0 flex-col gap-3 max-wide:h-[80dvh] wide:flex-1">
        <SearchBar filter={filter} onChange={change} />
        <Panel
          title={devices ? title : 'Devices'}
          caption={
            devices && (
              <>
                {fleet && `of ${integer(fleet.counts.total)} · `}
                {loaded} loaded · as of <Ago time={list.dataUpdatedAt} />
              </>
            )
          }
          actions={
            <button type="button" className="button" disabled={list.isFetching} onClick={() => void list.refetch()}>
              Refresh
            </button>
          }
          className="min-h-0 flex-1"
        >
          <Loaded query={{ ...list, data: devices }} what="The devices could not be read" rows={12}>
            {(rows) =>
              rows.length === 0 ? (
                <Empty title={isFiltered(filter) ? 'No device matches' : 'No devices yet'}>
                  {isFiltered(filter) ? 'Take a criterion away to see more.' : 'A device appears with its first connect.'}
                </Empty>
              ) : (
                <DeviceTable
                  devices={rows}
                  matched={matched}
                  more={list.hasNextPage}
                  fetching={list.isFetchingNextPage}
                  onMore={() => void list.fetchNextPage()}
                />
              )
            }
          </Loaded>
        </Panel>
      </div>
    </div>
  );
}
