// A text that narrows a list. It is in the address, and replaces it while the caller types.

import { here, setQuery } from "../router/location";

export function FilterBox({ name, label }: { name: string; label: string }) {
  return (
    <input
      type="search"
      data-filter
      aria-label={label}
      placeholder={label}
      value={here.value.query.get(name) ?? ""}
      onInput={(event) => setQuery({ [name]: event.currentTarget.value })}
    />
  );
}

export function matches(text: string | null, ...values: (string | undefined)[]): boolean {
  if (text === null || text === "") return true;
  const wanted = text.toLowerCase();
  return values.some((value) => value?.toLowerCase().includes(wanted) ?? false);
}
