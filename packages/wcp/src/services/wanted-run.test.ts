import { expect, test } from "vitest";
import type { Task, TaskState } from "../domain/task.ts";
import { runIdOf } from "./run-id.ts";
import { isRunWanted } from "./wanted-run.ts";

const LEASE = { expiresAtMs: 1, durationMs: 1, token: "claim-7" };
const first = runIdOf({ taskId: "t", token: LEASE.token, attempt: 1 });
const second = runIdOf({ taskId: "t", token: LEASE.token, attempt: 2 });
const run = { id: first, attempt: 1, executor: "http://wep" };
const outcome = { status: "success", resultHex: "0x" } as const;

function aTask(state: TaskState): Task {
  return {
    id: "t",
    source: "s",
    queue: "q",
    kind: "k",
    version: "1.0.0",
    workflowInstanceId: "",
    round: 1,
    state,
  };
}

test.each<readonly [string, TaskState | undefined, boolean]>([
  ["of a task that nobody has heard of may be asked for: the database may be lost", undefined, true],
  ["of a task that is offered may be asked for", { kind: "offered" }, true],
  ["of a task that is being claimed may be asked for", { kind: "claiming" }, true],
  ["is what a claimed task will do next", { kind: "claimed", lease: LEASE, attempts: 0 }, true],
  ["that failed is not what its task will do next", { kind: "claimed", lease: LEASE, attempts: 1 }, false],
  ["is what an assigned task does", { kind: "assigned", lease: LEASE, run }, true],
  ["is what a running task does", { kind: "running", lease: LEASE, run, percent: 1 }, true],
  [
    "is not what a task does that has gone on to another",
    { kind: "running", lease: LEASE, run: { ...run, id: second }, percent: 1 },
    false,
  ],
  ["whose outcome is known is over", { kind: "settling", outcome }, false],
  ["of a task that is done is over", { kind: "done", outcome }, false],
  ["of a task that was lost is over", { kind: "lost", reason: "x" }, false],
  ["of a task that expired is over", { kind: "expired" }, false],
  ["of a task that was given up is over", { kind: "abandoned", reason: "x" }, false],
])("a run %s", (_what, state, isWanted) => {
  expect(isRunWanted(state === undefined ? undefined : aTask(state), first)).toBe(isWanted);
});
