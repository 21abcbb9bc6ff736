// The newest runs of a pipeline: a column a run, a row a node, and above each its duration.

import type { Grid, GridRun } from "../../api/model";
import type { Problem } from "../../api/problem";
import { Column } from "../../parts/column";
import { Loading } from "../../parts/loading";
import { Mark } from "../../parts/mark";
import { ProblemBox } from "../../parts/problem";
import { link } from "../../router/location";
import { duration } from "../../text/duration";
import { short } from "../../text/time";
import { statusOf } from "./cells";

/** More nodes are in the run itself. */
const NODES_MAX = 200;
const HEIGHT = 56;

interface Props {
  grid: Grid | undefined;
  problem: Problem | undefined;
}

export function GridView({ grid, problem }: Props) {
  if (problem !== undefined) return <ProblemBox problem={problem} />;
  if (grid === undefined) return <Loading />;
  if (grid.runs.length === 0) return <p class="empty">The pipeline has not run yet.</p>;
  const runs = [...grid.runs].reverse();
  const longest = Math.max(1, ...runs.map((run) => run.duration_ms ?? 0));
  const nodes = grid.nodes.slice(0, NODES_MAX);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Newest runs by node">
      <table class="grid">
        <thead>
          <tr>
            <th scope="col"><span class="faint">{duration(longest)}</span></th>
            {runs.map((run) => <th key={run.id} scope="col"><RunColumn run={run} longest={longest} /></th>)}
          </tr>
        </thead>
        <tbody>
          {nodes.map((node, index) => (
            <tr key={node}>
              <th scope="row" title={node}>{node}</th>
              {runs.map((run) => <td key={run.id}><GridCell run={run} node={node} letter={run.cells[index]} /></td>)}
            </tr>
          ))}
        </tbody>
      </table>
      {nodes.length < grid.nodes.length && <p class="faint">{grid.nodes.length - nodes.length} more nodes are in the runs.</p>}
    </div>
  );
}

function RunColumn({ run, longest }: { run: GridRun; longest: number }) {
  const took = run.duration_ms === undefined ? "" : `, ${duration(run.duration_ms)}`;
  const words = `Run of ${short(run.created_at, Date.now())}, ${run.status}${took}`;
  return <Column status={run.status} href={link(["runs", run.id])} words={words} ms={run.duration_ms} longest={longest} room={HEIGHT} />;
}

function GridCell({ run, node, letter }: { run: GridRun; node: string; letter: string | undefined }) {
  const status = statusOf(letter);
  if (status === undefined) return <span class="faint" title="This version has no such node">·</span>;
  const words = `${node}: ${status}, ${short(run.created_at, Date.now())}`;
  const address = link(["runs", run.id], { node, panel: "log" });
  return <a href={address} title={words} aria-label={words} tabIndex={-1}><Mark status={status} /></a>;
}
