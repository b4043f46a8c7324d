import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A program that `wep dev` runs beside itself. */
export interface DevChild {
  /** Its exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Asks it to end; harmless when it has. */
  stop(): void;
}

export interface DevProgram {
  /** Of node. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told of each line of standard output and of standard error. */
  readonly onLine: (line: string, stream: "stdout" | "stderr") => void;
}

/**
 * Starts a program of Node. It is out of the terminal's reach, whose Ctrl-C would otherwise come twice: from
 * the terminal and from us. The channel between us tells it when we are gone without a word.
 */
export function startChild({ args, cwd, env, onLine }: DevProgram): DevChild {
  const child = spawn(process.execPath, [...args], {
    cwd,
    env: { ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  for (const stream of ["stdout", "stderr"] as const) {
    const lines = child[stream];
    if (lines !== null) createInterface({ input: lines }).on("line", (line) => onLine(line, stream));
  }
  const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  return {
    exited: closed.then(([code, signal]) => code ?? signal ?? "SIGKILL"),
    stop: () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    },
  };
}
