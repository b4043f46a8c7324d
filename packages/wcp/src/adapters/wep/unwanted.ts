import type { CancelReason } from "../../ports.ts";
import type { ActiveRun } from "./active-run.ts";

/** Runs that were given up are remembered until as many more were; by then the task book knows. */
const MOST_GIVEN_UP = 10_000;

/** Tells which of the runs that a WEP has, and nobody waits for, may be ended. */
export class Unwanted {
  readonly #isWanted: (activityId: string, runId: string) => boolean;
  readonly #givenUp = new Set<string>();

  /** `isWanted`: whether a task that nobody drives yet will want this run. Default: it will. */
  constructor(isWanted: ((activityId: string, runId: string) => boolean) | undefined) {
    this.#isWanted = isWanted ?? (() => true);
  }

  /** Its task goes on with another run. */
  add(runId: string): void {
    this.#givenUp.add(runId);
    if (this.#givenUp.size <= MOST_GIVEN_UP) return;
    for (const oldest of this.#givenUp) {
      this.#givenUp.delete(oldest);
      return;
    }
  }

  forget(runId: string): void {
    this.#givenUp.delete(runId);
  }

  /** Why a run may be ended, or `undefined`. `current`: what is under way for its task, anywhere in the pool. */
  reason(
    { activityId, runId }: { readonly activityId: string; readonly runId: string },
    current: ActiveRun | undefined,
  ): CancelReason | undefined {
    if (current !== undefined || this.#givenUp.has(runId)) return "superseded";
    return this.#isWanted(activityId, runId) ? undefined : "lease_lost";
  }
}
