import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSpec, type WorkflowSpec } from "@subnet-worker/activity-spec";
import { type Devnet, type DevnetOptions, type DevnetState, startDevnet } from "@subnet-worker/devnet";
import { AnvilRemote } from "./_anvil.ts";
import { LogFile } from "./_logs.ts";
import { COMPILE_CACHE } from "./_process.ts";

const inRepository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const inSample = (path: string) =>
  fileURLToPath(new URL(path, import.meta.resolve("@subnet-worker/example-audio/package.json")));

export const AUDIO_HANDLERS: string = inSample("src/handlers.ts");
export const AUDIO_SPEC_PATH: string = inRepository("activity-specs/audio.yaml");
export const AUDIO_SPEC: WorkflowSpec = parseSpec(readFileSync(AUDIO_SPEC_PATH, "utf8"), {
  fileName: AUDIO_SPEC_PATH,
});
/** Two seconds of speech. */
export const SHORT_RECORDING: string = inSample("samples/recording.wav");

type NodeName = "wep" | "wcp";

/** A devnet with the audio sample, whose node can be crashed. Disposal ends it and removes its files. */
export interface Network extends AsyncDisposable {
  readonly state: DevnetState;
  readonly chain: AnvilRemote;
  readonly logs: Readonly<Record<NodeName, LogFile>>;
  /** A folder of its own, for what tests write. */
  readonly dir: string;
  pid(name: NodeName): number;
  /** SIGKILL; returns when it is gone. */
  kill(...names: readonly NodeName[]): Promise<void>;
  /** Starts what was killed; returns when it is ready. */
  restart(...names: readonly NodeName[]): Promise<void>;
  /** Stops it from running at all until disposed: SIGSTOP, then SIGCONT. */
  pause(name: NodeName): Disposable;
  /** Mines again and restarts what a test that failed half-way has left dead. */
  heal(): Promise<void>;
}

export async function startNetwork(options: Pick<DevnetOptions, "storage"> = {}): Promise<Network> {
  process.env["NODE_COMPILE_CACHE"] = COMPILE_CACHE; // the devnet passes it on to its children
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "e2e-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const devnet: Devnet = stack.use(
    await startDevnet(
      { dir: join(dir, "net"), cwd: dir, handlers: [AUDIO_HANDLERS], specs: [AUDIO_SPEC_PATH], ...options },
      { signal: new AbortController().signal },
    ),
  );
  const { state } = devnet;
  const chain = new AnvilRemote(state.chain.rpcUrl);
  const dead = new Set<NodeName>();
  const processOf = (name: NodeName) => {
    const found = devnet.state.processes.find((process) => process.name === name);
    if (found === undefined) throw new Error(`the devnet has no process "${name}"`);
    return found;
  };
  const restart = async (name: NodeName) => {
    await devnet.restart(name);
    dead.delete(name);
  };
  const owned = stack.move();
  return {
    state,
    chain,
    dir,
    logs: { wep: new LogFile(processOf("wep").log), wcp: new LogFile(processOf("wcp").log) },
    pid: (name) => processOf(name).pid,
    async kill(...names) {
      for (const name of names) dead.add(name);
      await Promise.all(names.map((name) => devnet.kill(name)));
    },
    async restart(...names) {
      // In this order, since a WCP is ready only once it has a WEP.
      for (const name of ["wep", "wcp"] as const) if (names.includes(name)) await restart(name);
    },
    pause(name) {
      const { pid } = processOf(name);
      process.kill(pid, "SIGSTOP");
      return { [Symbol.dispose]: () => void process.kill(pid, "SIGCONT") };
    },
    async heal() {
      await chain.releaseBlocks();
      for (const name of ["wep", "wcp"] as const) if (dead.has(name)) await restart(name);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
