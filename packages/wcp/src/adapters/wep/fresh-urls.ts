import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import { type AssignedInput, type Assignment, type RunListener, StorageError } from "../../ports.ts";

export interface FreshUrlsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOG_EVERY_MS = 60_000;

/** Whether an assignment has URLs, which end after a while. */
export function hasUrls({ inputs, workflowInputs }: Assignment): boolean {
  return [inputs, workflowInputs].some((list) => list.some(({ url }) => url !== undefined));
}

/**
 * The assignment with new URLs: those that it was made with may have ended while its WEP was away. Waits for
 * storage that does not answer, as long as `isWanted`; `undefined` when it no longer is. What storage refuses
 * stays as it is: a WEP that has the run does not look, and another says what the URL came to.
 */
export async function withFreshUrls(
  { assignment, listener }: { readonly assignment: Assignment; readonly listener: RunListener },
  isWanted: () => boolean,
  { clock, logger }: FreshUrlsDeps,
): Promise<Assignment | undefined> {
  const backoff = createBackoff({ initialMs: 500, maxMs: 10_000 });
  const context = { activity_id: assignment.task.id, run_id: assignment.runId };
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  while (isWanted()) {
    try {
      const inputs = await renewed(assignment.inputs, listener);
      const workflowInputs = await renewed(assignment.workflowInputs, listener);
      return isWanted() ? { ...assignment, inputs, workflowInputs } : undefined;
    } catch (error) {
      if (!(error instanceof StorageError) || !error.isRetryable) {
        logger.error(
          { ...context, err: error },
          "no new URLs for the inputs of a run that is assigned again",
        );
        return assignment;
      }
      if (clock.monotonicMs() - loggedAtMs >= LOG_EVERY_MS) {
        loggedAtMs = clock.monotonicMs();
        logger.warn(
          { ...context, err: error },
          "storage does not answer, and a run waits for new URLs before it is assigned again; asking again",
        );
      }
    }
    await clock.sleep(backoff.nextMs());
  }
  return undefined;
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
