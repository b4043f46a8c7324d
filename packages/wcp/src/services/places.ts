import type { Task } from "../domain/task.ts";
import type { Slot, SlotWish } from "../ports.ts";

/** Where tasks that are ours are to run. */
export class Places {
  /** The executor that last refused a task's run for want of room, so that it is not there. */
  readonly #refusedBy = new Map<string, string>();

  /** In the task's present state. */
  wishOf({ id, kind, version, traits, state }: Task): SlotWish {
    const refusedBy = this.#refusedBy.get(id);
    const isThere = "run" in state && state.run.executor !== refusedBy;
    return {
      kind,
      version,
      needs: traits?.needs,
      ...(isThere ? { executor: state.run.executor } : {}),
      avoid: refusedBy ?? (state.kind === "claimed" ? state.past?.lostAt : undefined),
    };
  }

  /** Whether another slot had better be found: the last run was lost there, or refused. One that drains has no room until it is gone. */
  isInVain({ id, state }: Task, { executor }: Slot): boolean {
    const isLost = state.kind === "claimed" && state.past?.lostAt === executor;
    return isLost || this.#refusedBy.get(id) === executor;
  }

  /** Its executor did not take the task's run: nothing ran. */
  refused({ id, state }: Task): void {
    if ("run" in state) this.#refusedBy.set(id, state.run.executor);
  }

  /** The task is over. */
  delete(id: string): void {
    this.#refusedBy.delete(id);
  }
}
