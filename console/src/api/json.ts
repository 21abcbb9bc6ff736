// Reads JSON without losing digits: a number that JavaScript cannot hold stays its text. A browser
// that does not show the text of a number, such as Firefox before 135, rounds it.

/** A number as it is on the wire. */
export class Exact {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
  toJSON(): string {
    return this.text;
  }
}

export type Json = null | boolean | number | string | Exact | Json[] | { [key: string]: Json };

interface Source {
  source?: string;
}

/** Only such a text can have a number that is not exact. */
const LONG = /\d[\d.]{15}/;

export function parse(text: string): unknown {
  if (!LONG.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value: unknown, context?: Source) => exact(value, context?.source));
}

function exact(value: unknown, source: string | undefined): unknown {
  if (typeof value !== "number" || source === undefined || String(value) === source) return value;
  const digits = source.replace(/\D/g, "").length;
  return digits > 15 ? new Exact(source) : value;
}

/** Formats JSON for people, with every number as it came. */
export function format(value: Json, indent = ""): string {
  if (value instanceof Exact) return value.text;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}  `;
  const lines = Array.isArray(value)
    ? value.map((item) => `${inner}${format(item, inner)}`)
    : Object.entries(value).map(([key, item]) => `${inner}${JSON.stringify(key)}: ${format(item, inner)}`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return lines.length === 0 ? open + close : `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}
