// The keys of the page.

import { Dialog } from "../parts/dialog";
import { opened } from "./keyboard";
import { PLACES } from "./places";

const KEYS: [string[], string][] = [
  [["Ctrl", "K"], "search"],
  [["/"], "go to the filter"],
  [["j"], "next row"],
  [["k"], "previous row"],
  [["Enter"], "open the row, choose the node"],
  ...PLACES.map(({ key, name }): [string[], string] => [["g", key], name.toLowerCase()]),
  [["Esc"], "close"],
  [["?"], "these keys"],
];

export function Help() {
  return (
    <Dialog title="Keys" onClose={() => (opened.value = undefined)}>
      <dl class="keys">
        {KEYS.map(([keys, what]) => (
          <div>
            <dt>{keys.map((key) => <kbd>{key}</kbd>)}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
