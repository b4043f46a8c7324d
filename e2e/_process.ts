import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type LogLine, parseLines } from "./_logs.ts";
import { until } from "./_until.ts";

/** How a process ended: its exit code, or the signal that ended it. */
type Ended = number | NodeJS.Signals;

/** A process of ours and all it has said. Disposal kills it. */
export interface TestProcess extends AsyncDisposable {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  stdout(): string;
  stderr(): string;
  /** The parsed lines of both, standard output first. */
  lines(): readonly LogLine[];
  /** The first line that fits; waits for it. */
  find(what: string, fits: (line: LogLine) => boolean): Promise<LogLine>;
  signal(name: NodeJS.Signals): void;
}

export interface TestProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Halves what a start costs: most of it is compiling the same sources again. */
export const COMPILE_CACHE: string = fileURLToPath(new URL("node_modules/.cache/compile", import.meta.url));

const running = new Set<ChildProcess>();

// A test that timed out has disposed of nothing.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a process with only the environment it is given, and a search path. */
export async function startProcess(options: TestProcessOptions): Promise<TestProcess> {
  const child = spawn(options.command, options.args, {
    env: { PATH: process.env["PATH"] ?? "", NODE_COMPILE_CACHE: COMPILE_CACHE, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  // Not "exit": by "close" everything it said has arrived.
  const ended = once(child, "close").then((result): Ended => {
    const [code, signal] = result as [number | null, NodeJS.Signals | null];
    running.delete(child);
    return signal ?? code ?? 0;
  });
  await once(child, "spawn");
  const lines = () => parseLines(said.stdout).concat(parseLines(said.stderr));
  const tail = () => (said.stdout + said.stderr).slice(-4_000);
  let isOver = false;
  void ended.then(() => (isOver = true));
  return {
    pid: child.pid as number,
    ended,
    lines,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    find: (what, fits) =>
      until(
        what,
        () => {
          const wasOver = isOver; // before looking, or its last words could be missed
          const found = lines().find(fits);
          if (found === undefined && wasOver)
            throw new Error(`the process ended without ${what}:\n${tail()}`);
          return found;
        },
        { instead: tail },
      ),
    signal: (name) => void child.kill(name),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      child.kill("SIGCONT");
      await ended;
    },
  };
}

const MANIFESTS: Readonly<Record<"wcp" | "wep", string>> = {
  wcp: import.meta.resolve("@subnet-worker/wcp/package.json"),
  wep: import.meta.resolve("@subnet-worker/wep/package.json"),
};

/** The command line of one of our programs, run from its source. */
export function programArgs(name: keyof typeof MANIFESTS): readonly string[] {
  const main = fileURLToPath(new URL("src/main.ts", MANIFESTS[name]));
  return ["--conditions=@subnet-worker/source", main];
}
