import { useEffect, useState } from 'react';

/** A value once it has stood still for a while: what is typed is not asked letter by letter. */
export function useDebounced<T>(value: T, quiet_ms = 150): T {
  const [settled, settle] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => settle(value), quiet_ms);
    return () => clearTimeout(timer);
  }, [value, quiet_ms]);
  return settled;
}
