import { type Clock, systemClock } from "@subnet-worker/kit";
import { DevnetError } from "./errors.ts";

// npm and pnpm pass the terminal's Ctrl-C on to a child that the terminal has
// already told, so one key press arrives twice within milliseconds.
const ECHO_MS = 1_000;
const PARENT_CHECK_MS = 250;

const EXIT_CODES: Readonly<Record<string, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** Everything from outside that ends a command, as one signal. */
export interface Interrupts extends Disposable {
  /** Aborts with a {@link DevnetError} `INTERRUPTED` that carries the exit code. */
  readonly signal: AbortSignal;
}

/**
 * Turns Ctrl-C, SIGTERM, SIGHUP, a closed standard output and, under npm or
 * pnpm, the end of the parent process into one abort. A second Ctrl-C (later
 * than a second after the first) ends the process at once; the reaper then
 * ends the rest.
 */
export function watchInterrupts(clock: Clock = systemClock): Interrupts {
  const controller = new AbortController();
  const stopped = new AbortController();
  let firstMs = Number.NEGATIVE_INFINITY;

  const abort = (why: string, exitCode: number) =>
    controller.abort(new DevnetError("INTERRUPTED", why, { exitCode }));
  const onSignal = (name: NodeJS.Signals) => {
    const exitCode = EXIT_CODES[name] ?? 1;
    if (!controller.signal.aborted) {
      firstMs = clock.monotonicMs();
      abort(`Stopped by ${name === "SIGINT" ? "Ctrl-C" : name}.`, exitCode);
    } else if (clock.monotonicMs() - firstMs > ECHO_MS) {
      process.exit(exitCode);
    }
  };
  const onOutputError = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    abort("Nobody reads the output any more.", 1);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal).on("SIGHUP", onSignal);
  process.stdout.on("error", onOutputError);
  process.stderr.on("error", onOutputError);
  if (isUnderPackageManager()) void watchParent({ clock, stopped: stopped.signal, abort });

  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      stopped.abort();
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal).off("SIGHUP", onSignal);
      process.stdout.off("error", onOutputError);
      process.stderr.off("error", onOutputError);
    },
  };
}

// Somebody who starts a devnet from a shell in the background may close that
// shell; somebody who kills `npm start` wants everything gone.
function isUnderPackageManager(): boolean {
  return process.env["npm_lifecycle_event"] !== undefined;
}

interface ParentWatch {
  readonly clock: Clock;
  readonly stopped: AbortSignal;
  readonly abort: (why: string, exitCode: number) => void;
}

async function watchParent(watch: ParentWatch): Promise<void> {
  const parent = process.ppid;
  while (!watch.stopped.aborted) {
    if (process.ppid !== parent) {
      watch.abort("The process that started this one is gone.", 143);
      return;
    }
    await watch.clock.sleep(PARENT_CHECK_MS, watch.stopped);
  }
}
