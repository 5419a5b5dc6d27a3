import { useEffect, useRef, useState } from 'react';

/**
 * The text of a field that takes effect once the typing has stopped. `value` is what is in effect; when that changes
 * elsewhere (Back, Clear), the field follows.
 */
export function useTyped(value: string, commit: (text: string) => void, quiet_ms = 200) {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    clearTimeout(timer.current);
    setText(value);
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (next: string) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => commit(next.trim()), quiet_ms);
  };
  return [text, type] as const;
}
