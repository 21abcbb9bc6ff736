// A server whose runs look like those of a shop: what the pictures of the console show.
import { finish, startServer } from "./server.mjs";

const ROWS = `for i in 1 2 3 4 5 6 7 8; do echo "{\\"order\\":$i,\\"customer\\":\\"C-$((i * 37 % 100))\\",\\"amount\\":$((i * 13 % 50)).5,\\"coupon\\":null}"; done`;
const node = (id, script, more = {}) => ({ id, name: id, type: "command", config: { command: ["sh", "-c", script], ...more } });
const edge = (text) => ({ from: text.split(">")[0], to: text.split(">")[1] });

const PIPELINES = [
  {
    id: "orders", name: "Daily orders", schedule: "0 6 * * mon-fri", schedule_timezone: "Europe/Vienna", tags: ["sales"], owner: "Sales",
    description: "Orders of the shop, joined with the rates of the day",
    param_defs: [
      { name: "region", type: "enum", values: ["eu", "us"], default: "eu", description: "Where the orders were placed" },
      { name: "day", type: "date", description: "The day of the orders" },
      { name: "limit", type: "integer", min: 1, max: 100000 },
    ],
    nodes: [
      node("extract", `${ROWS}; echo 'eight orders' >&2; sleep 0.7`), node("rates", `${ROWS}; sleep 0.3`), node("customers", `${ROWS}; sleep 0.5`),
      node("join", "cat; echo 'joined orders with rates and customers' >&2; sleep 0.9"), node("check", "cat > /dev/null; sleep 0.2"), node("summarize", "cat; sleep 0.4"),
      node("load", "cat > /dev/null; sleep 0.5", { effect: "sink" }),
    ],
    edges: ["extract>join", "rates>join", "customers>join", "join>check", "join>summarize", "summarize>load"].map(edge),
  },
  {
    id: "invoices", name: "Invoices", schedule: "@monthly", tags: ["sales"], owner: "Finance", description: "Sends the invoices of the month",
    nodes: [node("fetch", ROWS), node("render", "cat; sleep 0.2"), node("send", "echo 'connecting to mail.example.com' >&2; echo 'the mail server does not answer' >&2; exit 7")],
    edges: ["fetch>render", "render>send"].map(edge),
  },
  {
    id: "stock", name: "Stock", schedule: "*/15 * * * *", tags: ["warehouse"], description: "Compares the warehouse with the books",
    nodes: [node("read", ROWS), node("compare", "cat; sleep 0.3")], edges: [edge("read>compare")],
  },
  {
    id: "backup", name: "Warehouse backup", tags: ["warehouse"], description: "Copies the warehouse to another house", max_concurrent_runs: 1,
    nodes: [node("dump", "i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); echo copied block $i of 3000 >&2; sleep 0.2; done"), node("upload", "true")],
    edges: [edge("dump>upload")],
  },
  {
    id: "reports", name: "Weekly reports", schedule: "0 8 * * mon", tags: ["management"], description: "Reports for the meeting on Monday",
    nodes: [node("write", "true")], edges: [],
  },
];

/** Returns a server with these pipelines, a finished, a failed, a running and a waiting run. */
export async function showcase() {
  const server = await startServer();
  for (const pipeline of PIPELINES) await server.call("POST", "pipelines", pipeline);
  for (let round = 0; round < 12; round += 1) {
    const labels = { team: round % 2 === 0 ? "data" : "sales" };
    await Promise.all([finish(server, "stock"), finish(server, "orders", { labels }), round % 4 === 0 && finish(server, "invoices")]);
  }
  const invoices = await finish(server, "invoices", { note: "With the new template" });
  const orders = await finish(server, "orders", { params: { region: "us", limit: "500" }, labels: { team: "sales" } });
  const backup = await server.call("POST", "pipelines/backup/run", {});
  await server.call("POST", "pipelines/backup/run", {});
  await server.call("POST", "pipelines/reports/pause", { reason: "The meeting is cancelled until January" });
  return { server, orders, invoices, backup };
}
