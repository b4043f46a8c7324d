import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { COMPILE_CACHE, programArgs } from "./_process.ts";

/** One life of a process that is going to be killed, its output in a file. */
export interface Life {
  readonly pid: number;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly isOver: boolean;
  readonly logPath: string;
  signal(name: NodeJS.Signals): void;
}

export interface LifeOptions {
  readonly program: "wcp" | "wep";
  /** Runs what was built from its source, which must be up to date. Default false. */
  readonly isBuilt?: boolean;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly logPath: string;
  /** Told each line of its standard output, as soon as it is here. */
  readonly onLine?: (line: string) => void;
}

const alive = new Set<Life>();

// Whatever ends the harness must not leave a node behind that goes on for ever.
process.on("exit", () => {
  for (const life of alive) life.signal("SIGKILL");
});

/** Starts one of our programs from its source, with only the environment it is given. */
export function startLife(options: LifeOptions): Life {
  const { program, args, env, cwd, logPath } = options;
  const main = options.isBuilt === true ? builtProgramArgs(program) : programArgs(program);
  const child = spawn(process.execPath, [...main, ...args], {
    env: { PATH: process.env["PATH"] ?? "", NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = createWriteStream(logPath, { flags: "a" });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  if (options.onLine !== undefined) createInterface(child.stdout).on("line", options.onLine);
  let isOver = false;
  const life: Life = {
    pid: child.pid ?? 0,
    logPath,
    get isOver() {
      return isOver;
    },
    ended: once(child, "close").then((result) => {
      const [code, signal] = result as [number | null, NodeJS.Signals | null];
      isOver = true;
      alive.delete(life);
      log.end();
      return signal ?? code ?? 0;
    }),
    signal: (name) => void child.kill(name),
  };
  alive.add(life);
  return life;
}

/** What its users run. */
function builtProgramArgs(program: LifeOptions["program"]): readonly string[] {
  const manifest = import.meta.resolve(`@subnet-worker/${program}/package.json`);
  return [fileURLToPath(new URL("dist/main.js", manifest))];
}
