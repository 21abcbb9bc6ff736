// The filters of the list of runs, as the address has them and as the API takes them.

import { fromField } from "../../text/time";

export interface RunFilter {
  status?: string[];
  trigger?: string;
  pipeline_id?: string;
  label?: string[];
  from?: string;
  to?: string;
}

const SINGLE = ["trigger", "pipeline_id", "from", "to"] as const;
const MANY = ["status", "label"] as const;

export function filterOf(query: URLSearchParams): RunFilter {
  const filter: RunFilter = {};
  for (const name of SINGLE) {
    const value = query.get(name);
    if (value !== null && value !== "") filter[name] = timeOf(name, value);
  }
  for (const name of MANY) {
    const values = query.getAll(name);
    if (values.length > 0) filter[name] = values;
  }
  return filter;
}

/** A field of a form has a time without a zone: it is in that of the view. */
function timeOf(name: string, value: string): string {
  return name === "from" || name === "to" ? (fromField(value) ?? value) : value;
}

export function isFiltered(query: URLSearchParams): boolean {
  return Object.keys(filterOf(query)).length > 0;
}
