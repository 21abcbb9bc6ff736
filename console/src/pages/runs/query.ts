// The filters of the list of runs, as the address has them and as the API takes them. Pure.

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

/** A field of a form has a time without a zone: it is in that of the browser. */
function timeOf(name: string, value: string): string {
  if (name !== "from" && name !== "to") return value;
  const at = new Date(value);
  return Number.isNaN(at.getTime()) ? value : at.toISOString();
}

/** A time of the address as such a field has it. */
export function localTime(value: string): string {
  const at = new Date(value);
  if (!value.endsWith("Z") || Number.isNaN(at.getTime())) return value;
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function isFiltered(query: URLSearchParams): boolean {
  return Object.keys(filterOf(query)).length > 0;
}
