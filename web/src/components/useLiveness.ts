import { useFleet } from '../api/queries';
import { useLive } from '../live/context';
import { livenessOf, type Liveness } from './liveness';
import { useNow } from './now';

export function useLiveness(): Liveness {
  const live = useLive((state) => state);
  const { data: fleet } = useFleet();
  return livenessOf(live, fleet, useNow());
}
