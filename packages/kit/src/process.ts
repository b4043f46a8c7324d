import { type Clock, systemClock } from "./clock.ts";
import { tooOldNode } from "./node-version.ts";

/** Exit codes of every process of the project. */
export const EXIT = {
  /** Drained and stopped as asked. */
  ok: 0,
  /** A fault. */
  fault: 1,
  /** Could not start, but may later: a dependency is down. As `EX_TEMPFAIL` in sysexits.h. */
  tryLater: 75,
  /** Bad configuration: starting again cannot help. As `EX_CONFIG` in sysexits.h. */
  badConfig: 78,
} as const;

/** Stops a process at start with a message for its operator and a given exit code. */
export class StartupError extends Error {
  override readonly name = "StartupError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** How a process ends. */
export interface RunProcessOptions {
  /** After the first signal, how long to drain before the process ends with code 1. */
  readonly deadlineMs: () => number;
  /**
   * A signal so soon after the first is the same key press: npm passes Ctrl-C on to a
   * child that the terminal has told already. Default 0: every second signal counts.
   */
  readonly echoMs?: number;
  readonly clock?: Clock;
  /** Where the last words go. Default: standard error, as one JSON line; on a terminal, as they are. */
  readonly report?: (error: unknown) => void;
}

/**
 * Runs `main` until it ends. SIGINT or SIGTERM aborts the signal it got and arms
 * a deadline; the second one ends the process at once. Sets `process.exitCode`:
 * 0 when `main` resolves, a {@link StartupError}'s own code, else 1. Something
 * that `main` left open keeps the process alive, but not beyond the deadline.
 * On a Node.js that is too old `main` is not called, and the code is 78.
 *
 * @example
 * ```ts
 * import { runProcess, systemClock } from "@subnet-worker/kit";
 *
 * await runProcess((signal) => systemClock.sleep(60_000, signal), { deadlineMs: () => 5_000 });
 * ```
 */
export async function runProcess(
  main: (signal: AbortSignal) => Promise<void>,
  options: RunProcessOptions,
): Promise<void> {
  const { clock = systemClock, report = reportToStderr, echoMs = 0 } = options;
  const stop = new AbortController();
  let firstMs = 0;
  const giveUpAfter = (what: string) => {
    const deadlineMs = options.deadlineMs();
    clock.timer(deadlineMs, () => {
      report(new Error(`still busy ${deadlineMs} ms after ${what}; giving up`));
      process.exit(
        process.exitCode === undefined || process.exitCode === EXIT.ok ? EXIT.fault : process.exitCode,
      );
    });
  };
  const onSignal = (name: NodeJS.Signals) => {
    if (stop.signal.aborted) {
      if (clock.monotonicMs() - firstMs < echoMs) return;
      process.exit(EXIT.fault);
    }
    firstMs = clock.monotonicMs();
    stop.abort(name);
    giveUpAfter(name);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    const tooOld = tooOldNode();
    if (tooOld !== undefined) throw new StartupError(EXIT.badConfig, tooOld);
    await main(stop.signal);
    process.exitCode = EXIT.ok;
  } catch (error) {
    report(error);
    process.exitCode = error instanceof StartupError ? error.exitCode : EXIT.fault;
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    // These timers do not keep the process alive: they end only one that something else keeps.
    if (!stop.signal.aborted) giveUpAfter("the end of its work");
  }
}

function reportToStderr(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof StartupError || !(error instanceof Error) ? undefined : fullStack(error);
  if (process.stderr.isTTY) {
    process.stderr.write(`${stack ?? message}\n`);
    return;
  }
  process.stderr.write(
    `${JSON.stringify({ level: "fatal", time: new Date().toISOString(), msg: message, stack })}\n`,
  );
}

// util.inspect would show causes too, but with every property of the errors: requests, headers, keys.
const DEEPEST_CAUSE = 5;

/** The stack with those of its causes, and of the errors gathered in it. */
function fullStack(error: Error, depth = 0): string {
  const stack = error.stack ?? String(error);
  const gathered: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  const below: readonly unknown[] = [...gathered, error.cause].filter((each) => each !== undefined);
  if (depth === DEEPEST_CAUSE || below.length === 0) return stack;
  const texts = below.map((each) => (each instanceof Error ? fullStack(each, depth + 1) : String(each)));
  return [stack, ...texts].join("\ncaused by: ");
}
