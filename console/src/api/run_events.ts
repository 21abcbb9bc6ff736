// What events say of the status of a run. Pure.

import type { RunStatus } from "./model";

export const RUN_STATUS: Record<string, RunStatus> = {
  "run.started": "running",
  "run.completed": "success",
  "run.failed": "failed",
  "run.cancelled": "cancelled",
};
