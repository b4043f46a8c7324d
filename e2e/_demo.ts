import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { DevnetState } from "@subnet-worker/devnet";
import { expect } from "vitest";

const MAIN = fileURLToPath(new URL("../packages/devnet/src/main.ts", import.meta.url));

/** A folder to run in, and the means to find every process that was started from it. */
export interface Place extends Disposable {
  readonly cwd: string;
  /** Process ids whose environment points into this place: the devnet's own and all its children's. */
  processes(): readonly number[];
  run(args: readonly string[], options?: RunOptions): RunningDevnet;
}

export interface RunOptions {
  /** Before `node`: `["sh", "-c", '"$0" "$@"; true']` puts a shell between. */
  readonly through?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A `subnet-devnet` command that was started. */
export interface RunningDevnet {
  readonly pid: number;
  /** Resolves when a line that contains `part` has been written; rejects when the process ends without one. */
  line(part: string): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  readonly done: Promise<Ended>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function openPlace(): Place {
  const cwd = mkdtempSync(join(tmpdir(), "devnet-e2e-"));
  return {
    cwd,
    processes: () => processesWith(`TMPDIR=${cwd}`),
    run: (args, options) => runDevnet(cwd, args, options),
    [Symbol.dispose]: () => rmSync(cwd, { recursive: true, force: true }),
  };
}

function runDevnet(cwd: string, args: readonly string[], options: RunOptions = {}): RunningDevnet {
  const [program = "", ...rest] = [
    ...(options.through ?? []),
    process.execPath,
    "--conditions=@subnet-worker/source",
    MAIN,
    ...args,
  ];
  // TMPDIR is on the list of variables that every child gets, so it marks them all.
  const child = spawn(program, rest, {
    cwd,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], TMPDIR: cwd, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const wake = () => waiting.forEach((check) => check());
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    wake();
  });
  const stderr = text(child.stderr);
  const done = ended.then(async ([code, signal]): Promise<Ended> => {
    const said = { stderr: await stderr, stdout: lines.join("\n") };
    wake();
    return { code, signal, ...said };
  });
  return {
    pid: child.pid as number,
    done,
    kill: (signal) => void child.kill(signal),
    line(part) {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const check = () => {
        const found = lines.find((line) => line.includes(part));
        if (found !== undefined) resolve(found);
      };
      waiting.add(check);
      check();
      void done.then(({ code, stderr: errors }) =>
        reject(new Error(`ended with ${code} before "${part}": ${errors}`)),
      );
      return promise.finally(() => waiting.delete(check));
    },
  };
}

/** The state that a devnet in `place` wrote, by its output. */
export function stateOf(place: Pick<Place, "cwd">): DevnetState {
  const dir = readFileSync(join(place.cwd, ".devnet", "latest"), "utf8").trim();
  return JSON.parse(readFileSync(join(place.cwd, dir, "devnet.json"), "utf8")) as DevnetState;
}

/** What `run.json` says of the only run in `place`. */
export function recordOf(place: Pick<Place, "cwd">): RunRecord {
  const [path] = readdirSync(place.cwd, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith("run.json"),
  );
  return JSON.parse(readFileSync(join(place.cwd, path ?? "no run.json"), "utf8")) as RunRecord;
}

export interface RunRecord {
  readonly instance: string;
  readonly outcome: { readonly kind: string; readonly reason?: string };
  readonly steps: readonly {
    readonly kind: string;
    readonly state: string;
    readonly activity_ids?: readonly string[];
    readonly reason?: string;
    readonly outputs: readonly { readonly name: string; readonly value: unknown; readonly file?: string }[];
  }[];
  readonly transactions: readonly {
    readonly action: string;
    readonly succeeded: boolean;
    readonly gas_used: number;
  }[];
}

export function processesWith(variable: string): readonly number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      if (!Number.isSafeInteger(pid) || pid <= 1) return false;
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(variable);
      } catch {
        return false; // ended meanwhile
      }
    });
}

/** Waits until nothing of a place runs any more. */
export async function untilNothingRuns(place: Place): Promise<void> {
  await expect.poll(() => place.processes(), { interval: 50, timeout: 20_000 }).toEqual([]);
}
