import type { Log } from "ethers";
import { type Clock, systemClock } from "@subnet-worker/kit";
import { newRun, nextRun, type Run } from "../domain/run.ts";
import { DevnetError } from "../errors.ts";
import type { ChainClient } from "./client.ts";
import { eventOf } from "./events.ts";
import type { Heads } from "./heads.ts";
import { durationText } from "../view/text.ts";

// Blocks are announced; asking anyway costs little and covers an announcement that got lost.
const ASK_ANYWAY_MS = 500;

export interface WatchOptions {
  readonly instance: string;
  readonly stepCount: number;
  /** The block that started the workflow. */
  readonly fromBlock: number;
  /** With no news for this long while the workflow waits for a worker or to be resumed, the watch ends. */
  readonly stallMs: number;
  /** The same while a handler runs. */
  readonly runStallMs: number;
}

export interface WatchDeps {
  readonly chain: ChainClient;
  readonly heads: Heads;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly onChange: (run: Run) => void;
}

/**
 * Follows a workflow instance until it has ended, well or badly.
 *
 * @throws {DevnetError} `STALLED`
 * @throws the signal's reason
 */
export async function watchRun(options: WatchOptions, deps: WatchDeps): Promise<Run> {
  const { chain, heads, signal, clock = systemClock } = deps;
  let run = newRun(options.stepCount);
  let nextBlock = options.fromBlock;
  let newsMs = clock.monotonicMs();
  while (run.outcome.kind === "running") {
    signal.throwIfAborted();
    const announced = heads.next();
    const head = await chain.blockNumber();
    if (head >= nextBlock) {
      const logs = await chain.logs(nextBlock, head);
      const nowMs = clock.monotonicMs();
      const seenMs = (log: Log) => heads.announcedMs(log.blockNumber) ?? nowMs;
      const events = logs.flatMap((log) => eventOf(log, options.instance, seenMs(log)) ?? []);
      run = events.reduce(nextRun, run);
      nextBlock = head + 1;
      if (events.length > 0) {
        newsMs = nowMs;
        deps.onChange(run);
      }
      continue;
    }
    const limitMs = run.steps.some(({ kind }) => kind === "running") ? options.runStallMs : options.stallMs;
    if (clock.monotonicMs() - newsMs > limitMs) {
      throw new DevnetError(
        "STALLED",
        `The chain has shown nothing new about the workflow for ${durationText(limitMs)}; ${whereItStands(run)}.`,
      );
    }
    await Promise.race([announced, clock.sleep(ASK_ANYWAY_MS, signal)]);
  }
  return run;
}

function whereItStands(run: Run): string {
  const index = run.steps.findLastIndex((step) => step.kind !== "pending");
  const step = run.steps[index];
  switch (step?.kind) {
    case "enqueued":
      return `step ${index + 1} is enqueued, and no worker has claimed it`;
    case "running":
      return `step ${index + 1} was claimed by ${step.worker}, which has sent neither progress nor a result`;
    case "completed":
    case "failed":
      return `step ${index + 1} ${step.kind}, and nobody has resumed the workflow`;
    default:
      return "no step was enqueued";
  }
}
