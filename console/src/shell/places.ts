// The views that everybody reaches from everywhere.

export interface Place {
  /** The first part of its address. */
  id: string;
  name: string;
  /** The key after `g` that leads to it. */
  key: string;
}

export const PLACES: readonly Place[] = [
  { id: "overview", name: "Overview", key: "o" },
  { id: "pipelines", name: "Pipelines", key: "p" },
  { id: "runs", name: "Runs", key: "r" },
];
