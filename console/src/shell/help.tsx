// The keys of the page.

import { Dialog } from "../parts/dialog";
import { opened } from "./keyboard";

const KEYS: [string[], string][] = [
  [["Ctrl", "K"], "search"],
  [["/"], "go to the filter"],
  [["j"], "next row"],
  [["k"], "previous row"],
  [["Enter"], "open the row, choose the node"],
  [["g", "o"], "overview"],
  [["g", "p"], "pipelines"],
  [["g", "r"], "runs"],
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
