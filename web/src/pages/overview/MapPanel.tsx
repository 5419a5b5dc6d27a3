import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { useRegions } from '../../api/queries';
import { Ago } from '../../components/Ago';
import { Panel } from '../../components/Panel';
import { Empty, Loaded, Loading } from '../../components/States';
import { plural } from '../../format/words';

const WorldMap = lazy(() => import('../../map/WorldMap').then((module) => ({ default: module.WorldMap })));

export function MapPanel() {
  const regions = useRegions();
  const navigate = useNavigate();
  const leaves = regions.data?.regions.filter((region) => region.leaf).length ?? 0;
  return (
    <Panel
      title="Regions"
      caption={
        regions.data && (
          <>
            {plural(leaves, 'region')} · as of <Ago time={regions.data.time} />
          </>
        )
      }
      className="h-[280px] desk:h-[416px]"
    >
      <Loaded query={regions} what="The regions could not be read" rows={8}>
        {(data) =>
          data.regions.length === 0 ? (
            <Empty title="No regions yet">Registered devices are counted by their region, and shown here.</Empty>
          ) : (
            <Suspense fallback={<Loading rows={8} />}>
              <WorldMap regions={data.regions} className="fades flex-1" onOpen={(region) => void navigate({ to: '/devices', search: { region } })} />
            </Suspense>
          )
        }
      </Loaded>
    </Panel>
  );
}
