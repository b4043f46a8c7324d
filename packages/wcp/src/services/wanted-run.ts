import type { Task } from "../domain/task.ts";
import { runIdOf } from "./run-id.ts";

/**
 * Whether a run that an executor has, and that nobody drives at present, belongs to what its task does or will
 * do next. `task`: as the store knows it.
 */
export function isRunWanted(task: Task | undefined, runId: string): boolean {
  // Never heard of: the database may be lost, and the network will tell that the task is ours.
  if (task === undefined) return true;
  const { state } = task;
  switch (state.kind) {
    case "offered":
    case "claiming":
      return true; // what the claim will be, and so its run id, nobody knows yet
    case "claimed":
      return runId === runIdOf({ taskId: task.id, token: state.lease.token, attempt: state.attempts + 1 });
    case "assigned":
    case "running":
      return runId === state.run.id;
    default:
      return false;
  }
}
