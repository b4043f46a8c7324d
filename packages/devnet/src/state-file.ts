import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { DevnetError } from "./errors.ts";
import type { Ports } from "./ports.ts";

/** What `devnet.json` in a run's directory says: all that another program needs to use the network. */
export interface DevnetState {
  /** Of the devnet process; the network is gone when it is. */
  readonly pid: number;
  readonly startedAt: string;
  /** Absolute path of the run's directory. */
  readonly dir: string;
  readonly ports: Ports;
  readonly chain: {
    readonly rpcUrl: string;
    readonly wsUrl: string;
    readonly chainId: number;
    readonly taskQueue: string;
    readonly workflowEngine: string;
    readonly subnetControlPlane: string;
    readonly multicall3: string;
    readonly batchExecutor: string;
    /** An account that anvil signs for (its published development key), so that no key is needed to submit. */
    readonly requester: string;
    /** The WCP's wallet. Its key exists in the WCP's environment only. */
    readonly worker: string;
  };
  /** Where the WCP keeps objects. */
  readonly storage: DevnetStorage;
  /** The S3 store. The key pair is made for this run and good for nothing else. Nothing is there with another storage. */
  readonly store: {
    readonly endpoint: string;
    readonly region: string;
    readonly bucket: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
  readonly wep: { readonly endpoint: string; readonly healthUrl: string; readonly configPath: string };
  readonly wcp: { readonly adminUrl: string; readonly configPath: string };
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly log: string }[];
  /** Copies of the spec files, as they were when the network started. */
  readonly workflows: readonly { readonly workflow: string; readonly specPath: string }[];
}

/** What brokers the objects of a run. */
export type DevnetStorage =
  | { readonly kind: "s3" }
  /** A remote broker (storage.v1) before a folder. The token is made for this run. */
  | {
      readonly kind: "subnet-api";
      readonly endpoint: string;
      readonly token: string;
      readonly directory: string;
    }
  /** A folder that the WCP serves itself. */
  | { readonly kind: "folder"; readonly directory: string };

const STATE_FILE = "devnet.json";
const HOME = ".devnet";
const LATEST = "latest";

/** The directory of a run that was given none: `.devnet/run-20260131-175959-1234` under `cwd`. */
export function defaultRunDir(cwd: string, now: Date): string {
  const [date = "", time = ""] = now.toISOString().split("T");
  const stamp = `${date.replaceAll("-", "")}-${time.slice(0, 8).replaceAll(":", "")}`;
  return join(cwd, HOME, `run-${stamp}-${process.pid}`);
}

/**
 * Makes the directory of a new run.
 *
 * @throws {DevnetError} `DIR_IN_USE` when another run has left its state there, `BAD_DIR` when it cannot be made
 */
export async function createRunDir(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, STATE_FILE), "", { flag: "wx", mode: 0o600 });
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST" || syscall === "mkdir") {
      const why = error instanceof Error ? error.message : String(error);
      throw new DevnetError("BAD_DIR", `No run can be kept in ${dir} (${why}); give another --dir.`, {
        cause: error,
      });
    }
    throw new DevnetError(
      "DIR_IN_USE",
      `${dir} belongs to another run; give another --dir, or delete it once that run has ended.`,
    );
  }
}

/** Writes the run's state, and notes it as the latest one under `cwd`. Others see the old file or the new one, never half of it. */
export async function writeState(state: DevnetState, cwd: string): Promise<void> {
  await replaceFile(join(state.dir, STATE_FILE), `${JSON.stringify(state, undefined, 2)}\n`);
  const latest = join(cwd, HOME, LATEST);
  await mkdir(dirname(latest), { recursive: true });
  await replaceFile(latest, `${relative(cwd, state.dir)}\n`);
}

/**
 * Reads the state of a run that is up.
 *
 * @param dir the run's directory; `undefined` for the one started last under `cwd`
 * @throws {DevnetError} `NOT_RUNNING`
 */
export async function readState(dir: string | undefined, cwd: string): Promise<DevnetState> {
  const latest = dir ?? (await readIfThere(join(cwd, HOME, LATEST)))?.trim();
  if (latest === undefined) {
    throw new DevnetError(
      "NOT_RUNNING",
      `No devnet was started in ${cwd}; start one with "up" first, or give its --dir.`,
    );
  }
  const path = join(resolve(cwd, latest), STATE_FILE);
  const text = await readIfThere(path);
  if (text === undefined)
    throw new DevnetError(
      "NOT_RUNNING",
      `${path} does not exist; start a devnet with "up", or give its --dir.`,
    );
  if (text === "")
    throw new DevnetError("NOT_RUNNING", `The devnet of ${dirname(path)} is not ready yet, or never was.`);
  const state = JSON.parse(text) as DevnetState;
  if (!isAlive(state.pid)) {
    throw new DevnetError(
      "NOT_RUNNING",
      `The devnet of ${state.dir} has ended; start one with "up", or give the --dir of another.`,
    );
  }
  return state;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  await writeFile(part, text, { mode: 0o600 });
  await rename(part, path);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
