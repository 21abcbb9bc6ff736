// The views of one object, chosen in the address.

import { here, setQuery } from "../router/location";

interface Props<T extends string> {
  name: string;
  label: string;
  tabs: readonly { id: T; title: string }[];
}

/** Returns the chosen tab: the first one unless the address names another. */
export function tabOf<T extends string>(name: string, tabs: readonly { id: T }[]): T {
  const named = here.value.query.get(name);
  const found = tabs.find((tab) => tab.id === named) ?? tabs[0];
  return (found as { id: T }).id;
}

export function Tabs<T extends string>({ name, label, tabs }: Props<T>) {
  const chosen = tabOf(name, tabs);
  return (
    <div class="tabs" role="group" aria-label={label}>
      {tabs.map(({ id, title }) => (
        <button
          type="button"
          key={id}
          aria-pressed={id === chosen}
          onClick={() => setQuery({ [name]: id === tabs[0]?.id ? undefined : id }, "push")}
        >
          {title}
        </button>
      ))}
    </div>
  );
}
