// The standalone example as a server for tests, with pipelines whose runs succeed, fail and last.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const PROGRAM = process.env.FLORET_STANDALONE ?? join(import.meta.dirname, "../../target/debug/examples/standalone");

/** The callers of a server with keys: the key, the role and the tenant of each. */
const CALLERS = {
  viewer: ["key-of-a-viewer", "viewer", "-"],
  operator: ["key-of-an-operator", "operator", "-"],
  editor: ["key-of-an-editor", "editor", "-"],
  ann: ["key-of-ann", "editor", "acme"],
};

/** Keys by their callers. */
export const KEYS = Object.fromEntries(Object.entries(CALLERS).map(([name, [key]]) => [name, key]));

const folders = [];
process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), "floret-console-"));
  folders.push(folder);
  return folder;
}

/** Starts a server. `folder` has its store, so that another one can go on with it. */
export async function startServer({ folder = newFolder(), port = 0, keys = false } = {}) {
  const options = ["--db", join(folder, "runs.db"), "--durability", "normal", "--allow-commands", "--data-dir", folder, "--listen", `127.0.0.1:${port}`];
  if (keys) options.push("--api-keys", keyFile(folder));
  const child = spawn(PROGRAM, options, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, RUST_LOG: "off", FLORET_API_KEY: undefined, FLORET_SECRET_KEY: "5e".repeat(32) },
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const origin = await new Promise((resolve, reject) => {
    child.on("error", reject);
    ended.then((code) => reject(new Error(`the server ended with ${code}`)));
    createInterface(child.stdout).once("line", (line) => resolve(line.replace("listening on ", "")));
  });
  const kill = () => {
    child.kill("SIGKILL");
    return ended;
  };
  const key = keys ? KEYS.editor : undefined;
  return { origin, folder, port: Number(new URL(origin).port), kill, call: (...given) => call(origin, key, ...given) };
}

function keyFile(folder) {
  const file = join(folder, "keys");
  const hash = (key) => createHash("sha256").update(key).digest("hex");
  const lines = Object.entries(CALLERS).map(([name, [key, role, tenant]]) => `${name} ${role} ${tenant} ${hash(key)}\n`);
  writeFileSync(file, lines.join(""));
  return file;
}

/** Sends a request to the API. A refusal is an error. */
async function call(origin, key, method, path, body) {
  const headers = { "content-type": "application/json", ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) };
  const response = await fetch(`${origin}/api/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

const shell = (script, more = {}) => ({ type: "command", config: { command: ["sh", "-c", script], ...more } });

/** Describes a pipeline by its nodes and by "from>to" for its edges. */
function pipeline(id, name, nodes, edges, more = {}) {
  return {
    id,
    name,
    nodes: Object.entries(nodes).map(([node, rest]) => ({ id: node, name: node, ...rest })),
    edges: edges.map((edge) => ({ from: edge.split(">")[0], to: edge.split(">")[1] })),
    ...more,
  };
}

export const HOSTILE = `<img src=x onerror="alert(1)"></title><script>alert(1)</script>\u202Egpj.exe`;
const ROWS = `echo '{"id":9007199254740993,"name":"Ann","amount":1.5}'; echo '{"id":2,"name":"<b>Bob</b>","amount":null}'`;

/** Saves the pipelines of the tests. `flag` is a file whose presence lets the invoices succeed. */
export async function seed(server) {
  const flag = join(server.folder, "mail-works");
  const made = [
    pipeline("orders", "Daily orders",
      { extract: shell(`${ROWS}; echo loading >&2`), rates: shell(ROWS), join: shell("cat; echo 'joined' >&2"), check: shell("cat > /dev/null"), load: shell("cat > /dev/null", { effect: "sink" }) },
      ["extract>join", "rates>join", "join>check", "join>load"],
      {
        schedule: "0 6 * * mon-fri", schedule_timezone: "Europe/Vienna", tags: ["sales"],
        description: "Orders of the shop, joined with the rates of the day",
        param_defs: [
          { name: "region", type: "enum", values: ["eu", "us"], default: "eu" },
          { name: "rows", type: "integer", min: 1, max: 100 },
        ],
      }),
    pipeline("invoices", "Invoices",
      { fetch: shell(ROWS), send: shell(`test -e ${flag} || { echo 'the mail server does not answer' >&2; exit 7; }`) },
      ["fetch>send"]),
    pipeline("backup", "Warehouse backup",
      { dump: shell("i=0; while [ $i -lt 600 ]; do i=$((i + 1)); echo line $i >&2; sleep 0.1; done"), upload: shell("true") },
      ["dump>upload"]),
    pipeline("quick", "Quick", { only: shell("true") }, []),
    pipeline("hostile", HOSTILE.slice(0, 60).replace("\u202E", ""),
      { a: shell("printf '\\033[31mred\\033[0m <script>alert(1)</script> \\342\\200\\256evil\\n' >&2"), b: shell("cat") },
      ["a>b"], { description: HOSTILE, tags: ["<b>tag</b>"] }),
  ];
  for (const one of made) await server.call("POST", "pipelines", one);
  return { repairMail: () => writeFileSync(flag, "") };
}

/** Starts a run and waits for its end. Returns it. */
export function finish(server, id, body = {}) {
  return server.call("POST", `pipelines/${id}/run?wait=30`, body);
}
