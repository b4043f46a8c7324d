import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import { StoppedError } from "../../ports.ts";

export interface AskDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Asks until there is an answer: what an endpoint refuses today it may answer tomorrow, and no refusal of
 * a read is worth ending the process for. Rejects with StoppedError, and with what `isFinal` says is one.
 */
export async function askUntilAnswered<T>(
  ask: () => Promise<T>,
  about: {
    readonly what: string;
    readonly signal: AbortSignal;
    readonly isFinal?: (error: unknown) => boolean;
  },
  { clock, logger }: AskDeps,
): Promise<T> {
  const backoff = createBackoff({ initialMs: 500, maxMs: 30_000 });
  for (;;) {
    if (about.signal.aborted) throw new StoppedError();
    try {
      return await ask();
    } catch (error) {
      if (error instanceof StoppedError || about.isFinal?.(error) === true) throw error;
      logger.error(
        { err: error, what: about.what },
        "the node does not answer what the lane needs; trying again",
      );
      await clock.sleep(backoff.nextMs(), about.signal);
    }
  }
}
