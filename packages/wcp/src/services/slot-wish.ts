import type { Task } from "../domain/task.ts";
import type { SlotWish } from "../ports.ts";

/** Where a task that is ours is to run, in its present state. */
export function wishOf({ kind, version, traits, state }: Task): SlotWish {
  return {
    kind,
    version,
    needs: traits?.needs,
    ...("run" in state ? { executor: state.run.executor } : {}),
    avoid: state.kind === "claimed" ? state.past?.lostAt : undefined,
  };
}

/** Whether its last run was lost with this executor. */
export function isLostAt({ state }: Task, executor: string): boolean {
  return state.kind === "claimed" && state.past?.lostAt === executor;
}
