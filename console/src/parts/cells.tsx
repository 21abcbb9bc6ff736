// The rows of a dataset as a table, with every digit of a number.

import { Exact, format } from "../api/json";
import type { Cell } from "../api/model";

export function Rows({ columns, rows, label }: { columns: readonly string[]; rows: readonly Record<string, Cell>[]; label: string }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table class="data">
        <thead><tr>{columns.map((column) => <Heading key={column} name={column} rows={rows} />)}</tr></thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>{columns.map((column) => <Value key={column} cell={row[column]} />)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The name of a column: above numbers, at their side. */
function Heading({ name, rows }: { name: string; rows: readonly Record<string, Cell>[] }) {
  const first = rows.find((row) => row[name] !== null && row[name] !== undefined)?.[name];
  return <th scope="col" class={isNumber(first) ? "number" : ""}>{name}</th>;
}

function isNumber(cell: Cell | undefined): cell is number | Exact {
  return typeof cell === "number" || cell instanceof Exact;
}

function Value({ cell }: { cell: Cell | undefined }) {
  if (cell === null || cell === undefined) return <td class="faint">null</td>;
  if (isNumber(cell)) return <td class="number">{String(cell)}</td>;
  if (typeof cell === "object") return <td><code>{format(cell)}</code></td>;
  return <td>{String(cell)}</td>;
}
