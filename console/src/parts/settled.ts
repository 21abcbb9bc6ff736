// A value once it has stopped changing for a moment, so that not every keystroke asks the API.

import { useEffect, useState } from "preact/hooks";

const SETTLED_MS = 250;

export function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  const name = JSON.stringify(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [name]);
  return settled;
}
