// The lines of a JSON text: where each of its values begins, by JSON Pointer (RFC 6901). Pure.

/** The API reads nothing deeper. */
const DEPTH_MAX = 128;

/** Returns the line of each value of a valid text, from 1. */
export function linesOf(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  let [at, line] = [0, 1];
  const space = () => {
    for (; /\s/.test(text[at] ?? ""); at += 1) if (text[at] === "\n") line += 1;
  };
  const string = () => {
    const from = at;
    for (at += 1; at < text.length && text[at] !== '"'; at += 1) if (text[at] === "\\") at += 1;
    at += 1;
    return text.slice(from, at);
  };
  const value = (pointer: string, depth: number): void => {
    space();
    if (!lines.has(pointer)) lines.set(pointer, line);
    const open = text[at];
    if (open === '"') string();
    else if (open === "{" || open === "[") items(pointer, open === "{", depth);
    else while (at < text.length && !/[\s,\]}]/.test(text[at] ?? "")) at += 1;
  };
  const items = (pointer: string, isObject: boolean, depth: number): void => {
    if (depth > DEPTH_MAX) throw new Error("too deep");
    at += 1;
    for (let index = 0; at < text.length; index += 1) {
      space();
      if (text[at] === "}" || text[at] === "]") break;
      let name = String(index);
      if (isObject) {
        name = (JSON.parse(string()) as string).replace(/~/g, "~0").replace(/\//g, "~1");
        lines.set(`${pointer}/${name}`, line);
        space();
        at += 1;
      }
      value(`${pointer}/${name}`, depth + 1);
      space();
      if (text[at] === ",") at += 1;
    }
    at += 1;
  };
  value("", 0);
  return lines;
}

/** Returns the line of a pointer, or of the nearest value around it. */
export function lineOf(lines: ReadonlyMap<string, number>, pointer: string): number {
  for (let own = pointer; own !== ""; own = own.slice(0, own.lastIndexOf("/"))) {
    const found = lines.get(own);
    if (found !== undefined) return found;
  }
  return lines.get("") ?? 1;
}

/** Returns the line at which a browser has stopped to read a text. */
export function lineOfError(text: string, message: string): number {
  const named = /line (\d+)/.exec(message);
  if (named !== null) return Number(named[1]);
  const position = /position (\d+)/.exec(message);
  const end = position === null ? text.length : Number(position[1]);
  return text.slice(0, end).split("\n").length;
}
