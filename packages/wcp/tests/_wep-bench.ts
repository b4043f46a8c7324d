import { FakeClock, ScriptedWep, type WepStream } from "@subnet-worker/testkit";
import { type PoolDeps, type PoolOptions, WepPool } from "../src/adapters/wep/pool.ts";
import type { Assignment, RunListener, RunOutcome, Slot, SlotWish } from "../src/ports.ts";
import type { UploadTicket, UploadWish } from "../src/storage-ports.ts";
import { aTask, idOf } from "./_builders.ts";
import { captureLogs, type Logs } from "./_logs.ts";
import { settle, until } from "./_until.ts";

export const WISH: SlotWish = { kind: "audio.preprocess", version: "1.0.0" };

export function anAssignment(overrides: Partial<Assignment> = {}): Assignment {
  return {
    task: aTask(),
    runId: "run-1",
    attempt: 1,
    inputs: [],
    workflowInputs: [],
    uploadPrefix: "runs/w/t/run-1/",
    leaseExpiresAtMs: Date.UTC(2025, 0, 1, 3),
    progressIntervalS: 10,
    ...overrides,
  };
}

/** A run in the making: its outcome, and what its listener was told. */
export interface StartedRun {
  readonly slot: Slot;
  readonly outcome: Promise<RunOutcome>;
  readonly progress: (readonly [percent: number, message: string, checkpointRef?: string | undefined])[];
}

/** A pool of WEPs on a fake clock. */
export class PoolBench implements AsyncDisposable {
  readonly pool: WepPool;
  readonly clock: FakeClock = new FakeClock();
  readonly logs: Logs = captureLogs();
  /** What happened to WEPs, in order. */
  readonly events: string[] = [];
  /** Runs of tasks that are not taken up yet. */
  readonly wanted: Set<string> = new Set();
  onUpload: (wish: UploadWish) => Promise<UploadTicket> = () => Promise.reject(new Error("no uploads here"));
  onDownload: RunListener["download"] = () => Promise.reject(new Error("no downloads here"));
  onMultipart: RunListener["multipart"] = () => Promise.reject(new Error("no multiparts here"));
  /** What became of requests for objects, in order. */
  readonly grants: string[] = [];
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(urls: readonly string[], options: Partial<PoolOptions> = {}, deps: Partial<PoolDeps> = {}) {
    this.pool = new WepPool(
      {
        urls,
        instanceId: "wcp-1",
        agent: "test/0",
        handshakeTimeoutMs: 10_000,
        pingIntervalMs: 5_000,
        silenceMs: 15_000,
        ...options,
      },
      {
        clock: this.clock,
        logger: this.logs.logger,
        onEvent: (event) => void this.events.push(event),
        onGrant: (event) => void this.grants.push(Object.values(event).join(" ")),
        isWanted: (_activityId, runId) => this.wanted.has(runId),
        ...deps,
      },
    );
  }

  run(): this {
    this.#running = this.pool.run(this.#stop.signal);
    return this;
  }

  /** Resolves once something can be assigned. */
  ready(count = 1): Promise<void> {
    return until(() => this.pool.stats().connected >= count);
  }

  /** Lets the pause before the next connection pass, until there is one. Every stream before it was taken. */
  async reconnected(wep: ScriptedWep): Promise<WepStream> {
    const known = wep.streams.length;
    while (wep.streams.length === known) {
      await this.clock.advance(100);
      await settle(3);
    }
    return wep.next();
  }

  /** Starts a run on a fresh slot. */
  start(overrides: Partial<Assignment> = {}, on: Slot | undefined = this.pool.reserve(WISH)): StartedRun {
    if (on === undefined) throw new Error("no slot is free");
    const progress: StartedRun["progress"] = [];
    const listener: RunListener = {
      progress: (percent, message, checkpointRef) =>
        void progress.push(
          checkpointRef === undefined ? [percent, message] : [percent, message, checkpointRef],
        ),
      upload: (wish) => this.onUpload(wish),
      download: (objectKey) => this.onDownload(objectKey),
      multipart: (step) => this.onMultipart(step),
    };
    const outcome = on.run(anAssignment(overrides), listener, this.#stop.signal);
    outcome.catch(() => undefined); // looked at by the tests
    return { slot: on, outcome, progress };
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A pool connected to one WEP that speaks 1.1.0. */
export async function connect(
  capabilities: { readonly maxConcurrency: number; readonly kinds?: { kind: string; version: string }[] } = {
    maxConcurrency: 2,
  },
  options: Partial<PoolOptions> = {},
): Promise<
  AsyncDisposable & { readonly bench: PoolBench; readonly wep: ScriptedWep; readonly stream: WepStream }
> {
  const wep = await ScriptedWep.listen();
  const bench = new PoolBench([wep.url], options).run();
  const stream = await wep.next();
  await stream.welcome(capabilities);
  await bench.ready();
  return {
    bench,
    wep,
    stream,
    async [Symbol.asyncDispose]() {
      await bench.stop();
      await wep[Symbol.asyncDispose]();
    },
  };
}

/** What a completion of the run `run-1` of the first task carries. */
export function completion(overrides: Record<string, unknown> = {}) {
  return {
    activityId: idOf(1),
    runId: "run-1",
    status: "SUCCESS",
    resultInline: new TextEncoder().encode('{"ok":true}'),
    ...overrides,
  };
}

export interface Greeting {
  readonly instanceId?: string;
  readonly maxBatch?: number;
  readonly capabilities?: Parameters<WepStream["welcome"]>[0];
  /** Default: none follows. */
  readonly inventory?: readonly {
    readonly activityId: string;
    readonly runId: string;
    readonly state?: string;
    readonly percent?: number;
    readonly checkpointRef?: string;
  }[];
}

/** The handshake of a WEP that tells what it has. */
export async function greet(stream: WepStream, greeting: Greeting = {}): Promise<void> {
  const { instanceId = "wep-1", maxBatch = 0, capabilities = { maxConcurrency: 2 }, inventory } = greeting;
  await stream.next("hello");
  stream.send("helloAck", { min: "1.0.0", max: "1.1.0", instanceId, agent: "scripted/1", maxBatch });
  stream.send("capabilities", { ...capabilities, inventoryFollows: inventory !== undefined });
  if (inventory !== undefined) {
    stream.send("inventory", { runs: inventory.map((run) => ({ state: "running", ...run })) });
  }
}

/** Round trips of the stream: whatever was sent before has been read. */
export async function heard(stream: WepStream): Promise<void> {
  const nonce = BigInt(stream.heard.length) + 1_000_000n;
  stream.send("ping", { nonce });
  await stream.next("pong", (pong) => pong.nonce === nonce);
}
