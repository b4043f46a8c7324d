import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import type { AssignedInput, Assignment, RunListener } from "../../ports.ts";
import { StorageError } from "../../storage-ports.ts";
import type { ActiveRun } from "./active-run.ts";

export interface FreshUrlsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOG_EVERY_MS = 60_000;

/** Whether an assignment has URLs, which end after a while. */
export function hasUrls({ inputs, workflowInputs }: Assignment): boolean {
  return [inputs, workflowInputs].some((list) => list.some(({ url }) => url !== undefined));
}

/** New URLs for runs that are assigned again: those that they had may have ended while their WEP was away. */
export class FreshUrls {
  readonly #deps: FreshUrlsDeps;
  #loggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: FreshUrlsDeps) {
    this.#deps = deps;
  }

  /**
   * The assignment with new URLs. Waits for storage that does not answer, as long as `isWanted`; `undefined`
   * when it no longer is, which may also be so when it resolves, or when the process stops. What storage refuses
   * stays as it is: a WEP that has the run does not look, and another says what the URL came to.
   */
  async of(
    { assignment, listener, signal }: Pick<ActiveRun, "assignment" | "listener" | "signal">,
    isWanted: () => boolean,
  ): Promise<Assignment | undefined> {
    const backoff = createBackoff({ initialMs: 500, maxMs: 10_000 });
    while (isWanted() && !signal.aborted) {
      try {
        const inputs = await renewed(assignment.inputs, listener);
        const workflowInputs = await renewed(assignment.workflowInputs, listener);
        return { ...assignment, inputs, workflowInputs };
      } catch (error) {
        if (!this.#isToBeAwaited(error, assignment)) return assignment;
      }
      await this.#deps.clock.sleep(backoff.nextMs(), signal);
    }
    return undefined;
  }

  #isToBeAwaited(error: unknown, { task, runId }: Assignment): boolean {
    const { clock, logger } = this.#deps;
    const context = { activity_id: task.id, run_id: runId, err: error };
    if (!(error instanceof StorageError) || !error.isRetryable) {
      logger.error(context, "no new URLs for the inputs of a run that is assigned again");
      return false;
    }
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#loggedAtMs >= LOG_EVERY_MS) {
      this.#loggedAtMs = nowMs;
      logger.warn(
        context,
        "storage does not answer, and runs wait for new URLs before they are assigned again; asking again (when it stays, check [storage] with wcp doctor)",
      );
    }
    return true;
  }
}

function renewed(inputs: readonly AssignedInput[], listener: RunListener): Promise<readonly AssignedInput[]> {
  return Promise.all(
    inputs.map(async (input) => {
      if (input.url === undefined || input.objectKey === undefined) return input;
      const { url, expiresAtMs: urlExpiresAtMs } = await listener.download(input.objectKey);
      return { ...input, url, urlExpiresAtMs };
    }),
  );
}
