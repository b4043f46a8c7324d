import { type Clock, systemClock } from "./clock.ts";

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

export interface RunProcessOptions {
  /** After the first signal, how long to drain before the process ends with code 1. */
  readonly deadlineMs: () => number;
  readonly clock?: Clock;
  /** Where the last words go. Default: one JSON line on standard error. */
  readonly report?: (error: unknown) => void;
}

/**
 * Runs `main` until it ends. SIGINT or SIGTERM aborts the signal it got and arms
 * a deadline; the second one ends the process at once. Sets `process.exitCode`:
 * 0 when `main` resolves, a {@link StartupError}'s own code, else 1.
 */
export async function runProcess(
  main: (signal: AbortSignal) => Promise<void>,
  options: RunProcessOptions,
): Promise<void> {
  const { clock = systemClock, report = reportToStderr } = options;
  const stop = new AbortController();
  let deadline: Disposable | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(EXIT.fault);
    stop.abort(name);
    deadline = clock.timer(options.deadlineMs(), () => {
      report(new Error(`still busy ${options.deadlineMs()} ms after ${name}; giving up`));
      process.exit(EXIT.fault);
    });
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    await main(stop.signal);
    process.exitCode = EXIT.ok;
  } catch (error) {
    report(error);
    process.exitCode = error instanceof StartupError ? error.exitCode : EXIT.fault;
  } finally {
    deadline?.[Symbol.dispose]();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

function reportToStderr(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof StartupError || !(error instanceof Error) ? undefined : error.stack;
  process.stderr.write(`${JSON.stringify({ level: "fatal", time: new Date().toISOString(), msg: message, stack })}\n`);
}
