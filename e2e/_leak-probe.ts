import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProcess } from "./_process.ts";
import { until } from "./_until.ts";

const PRELOAD = fileURLToPath(new URL("fixtures/leak-probe.ts", import.meta.url));

/** What is alive in a process, after a full collection. Sizes in bytes. */
export interface Alive {
  /** Also those that do not keep the process alive. */
  readonly timers: number;
  /** For how many milliseconds each of them was set, ascending. */
  readonly timersMs: readonly number[];
  readonly sockets: number;
  /** Sockets and HTTP/2 streams. */
  readonly duplexes: number;
  readonly abortSignals: number;
  readonly heapUsed: number;
  readonly rss: number;
  readonly external: number;
  /** Open sockets as the system counts them. */
  readonly fdSockets: number;
  readonly threads: number;
}

/** Looks into one process that was started with {@link env}. */
export interface LeakProbe {
  readonly env: Readonly<Record<string, string>>;
  look(process: TestProcess): Promise<Alive>;
}

export function makeLeakProbe(dir: string, name: string): LeakProbe {
  const file = join(dir, `alive-${name}.json`);
  return {
    env: { NODE_OPTIONS: `--import ${PRELOAD}`, LEAK_PROBE_FILE: file },
    async look(process) {
      rmSync(file, { force: true });
      process.signal("SIGUSR2");
      const counted = await until(`${name} to say what is alive`, () => readWhole(file));
      return { ...counted, ...readProc(process.pid) };
    },
  };
}

type Counted = Omit<Alive, "fdSockets" | "threads">;

/** `undefined` while it is not there, or not all of it. */
function readWhole(file: string): Counted | undefined {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  return text.endsWith("}") ? (JSON.parse(text) as Counted) : undefined;
}

function readProc(pid: number): Pick<Alive, "fdSockets" | "threads"> {
  const fds = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  return {
    fdSockets: fds.filter((target) => target.startsWith("socket:")).length,
    threads: readdirSync(`/proc/${pid}/task`).length,
  };
}

/** Empty for one that was closed since the folder was read. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
