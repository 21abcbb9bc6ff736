// A problem of the API, with a way on.

import type { Problem } from "../api/problem";
import { link } from "../router/location";

export function ProblemBox({ problem, onRetry }: { problem: Problem; onRetry?: () => void }) {
  if (problem.status === 401) return null;
  return (
    <div class="problem" role="alert">
      <strong>{problem.title}</strong>
      {problem.message !== "" && <p>{problem.message}</p>}
      {problem.issues.length > 0 && (
        <ul>
          {problem.issues.map((issue) => (
            <li><code>{issue.pointer ?? issue.parameter ?? ""}</code> {issue.detail}</li>
          ))}
        </ul>
      )}
      <p class="ways">
        {onRetry !== undefined && <button type="button" onClick={onRetry}>Try again</button>}
        {problem.status === 404 && <a href={link(["runs"])}>All runs</a>}
        {problem.status === 404 && <a href={link(["pipelines"])}>All pipelines</a>}
        {problem.instance !== "" && <span class="faint">In the log of the host: {problem.instance.replace("urn:uuid:", "")}</span>}
      </p>
    </div>
  );
}
