import { type Clock, systemClock } from "@subnet-worker/kit";
import { DevnetError } from "../errors.ts";
import { readLogTail } from "./log-tail.ts";

const ASK_EVERY_MS = 25;
const ONE_ANSWER_MS = 2_000;

export interface ReadinessOptions {
  /** For messages. */
  readonly name: string;
  readonly url: string;
  /** `true` when the answer says ready, else why not. */
  readonly accept: (response: Response) => Promise<true | string>;
  readonly withinMs: number;
  readonly logPath: string;
}

/**
 * Waits until a child answers that it is ready.
 *
 * @throws {DevnetError} `NOT_READY` with the last answer and the last log lines
 * @throws the signal's reason
 */
export async function untilReady(
  options: ReadinessOptions,
  deps: { readonly signal: AbortSignal; readonly clock?: Clock },
): Promise<void> {
  const { signal, clock = systemClock } = deps;
  const deadlineMs = clock.monotonicMs() + options.withinMs;
  let answer: true | string = "no answer yet";
  for (;;) {
    answer = await ask(options, signal);
    signal.throwIfAborted();
    if (answer === true) return;
    if (clock.monotonicMs() > deadlineMs) break;
    await clock.sleep(ASK_EVERY_MS, signal);
  }
  const tail = (await readLogTail(options.logPath)).map((line) => `\n    ${line}`).join("");
  throw new DevnetError(
    "NOT_READY",
    `The process "${options.name}" was not ready after ${options.withinMs / 1_000} s: ${answer}.${tail === "" ? "" : ` Its last lines:${tail}`}\n  Full log: ${options.logPath}`,
  );
}

async function ask({ url, accept }: ReadinessOptions, signal: AbortSignal): Promise<true | string> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ONE_ANSWER_MS)]),
    });
    const answer = await accept(response);
    if (!response.bodyUsed) await response.body?.cancel();
    return answer;
  } catch (error) {
    const { cause, message } = error as Error;
    return `${url} does not answer (${cause instanceof Error ? cause.message : message})`;
  }
}

/** Status 200 means ready; anything else is said to give its reasons. */
export async function acceptReadyz(response: Response): Promise<true | string> {
  const text = await response.text();
  return response.ok ? true : reasonsIn(text);
}

/** The reasons in a `/readyz` answer, or the answer itself. */
function reasonsIn(text: string): string {
  try {
    const { reasons } = JSON.parse(text) as { reasons?: unknown };
    if (Array.isArray(reasons)) return reasons.join("; ");
  } catch {
    // not JSON: shown as it is
  }
  return text.trim().slice(0, 300);
}
