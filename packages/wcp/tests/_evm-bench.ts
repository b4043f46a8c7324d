import { type ActivitySpec, encodeParams, parseSpec, type WorkflowSpec } from "@subnet-worker/activity-spec";
import {
  activityTypeAddress,
  subnetControlPlaneInterface,
  taskQueueInterface,
} from "@subnet-worker/contracts";
import { systemClock } from "@subnet-worker/kit";
import { ContractCaller } from "../src/adapters/evm/contract-caller.ts";
import { OfferWatcher } from "../src/adapters/evm/offer-watcher.ts";
import { SpecIndex } from "../src/adapters/evm/spec-index.ts";
import { EvmTaskSource } from "../src/adapters/evm/task-source.ts";
import { createLocalSigner } from "../src/adapters/signer.ts";
import type { Lease, Task, TaskState } from "../src/domain/task.ts";
import type { Chain, IntentOutcome, IntentRequest, TransactionLane } from "../src/chain-ports.ts";
import type { Offer, OfferSink } from "../src/ports.ts";
import { AnvilLane, DevChain, WORKER_KEY } from "./_anvil-lane.ts";
import { idOf } from "./_builders.ts";
import { captureLogs, type Logs } from "./_logs.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { minedBy, type RawReceipt } from "./_mined.ts";
import { until } from "./_until.ts";

export const SPEC_TEXT = `
name: audio
version: audio/1.0.0
description: A test.
activities:
  - id: audio_preprocess
    kind: audio.preprocess
    name: Preprocess
    description: Prepares.
    worker: processing
    input_params:
      - { name: audio_object_key, type: string, description: The recording. }
      - { name: rate_hz, type: uint64, description: The rate. }
    output_params:
      - { name: processed_object_key, type: string, description: The result. }
      - { name: duration_ms, type: uint64, description: Its length. }
`;
export const SPEC: WorkflowSpec = parseSpec(SPEC_TEXT, { fileName: "audio.yaml" });
export const ACTIVITY = SPEC.activities[0] as ActivitySpec;
const TYPE = activityTypeAddress(SPEC.workflow, ACTIVITY.id);
const INPUT = encodeParams(ACTIVITY.inputs, { audio_object_key: "in/song.wav", rate_hz: "44100" });
export const WORKER = createLocalSigner(WORKER_KEY, 31_337n).address;
export const LEASE_S = 600;

/** Keeps what it is offered. */
export class Sink implements OfferSink {
  readonly offers: Offer[] = [];
  /** `id by`: what left. */
  readonly left: string[] = [];
  isFull = false;
  /** How many more it takes; the others are passed over. */
  room: number = Number.POSITIVE_INFINITY;

  get ids(): string[] {
    return this.offers.map(({ id }) => id);
  }

  async offer(offer: Offer): Promise<boolean> {
    if (this.room === 0) return this.ids.includes(offer.id);
    this.room -= 1;
    this.offers.push(offer);
    return true;
  }

  wanted(): boolean {
    return !this.isFull;
  }

  gone(id: string, by = "nobody"): void {
    this.left.push(`${id} ${by}`);
  }
}

/** A lane with its calls on record, and outcomes in place of its own where the test says so. */
export class RecordingLane implements TransactionLane {
  readonly requests: IntentRequest[] = [];
  onSubmit: (request: IntentRequest) => IntentOutcome | undefined = () => undefined;
  onConfirmed: (key: string) => Promise<IntentOutcome | undefined> = async () => undefined;
  readonly #lane: TransactionLane;

  constructor(lane: TransactionLane) {
    this.#lane = lane;
  }

  async submit(request: IntentRequest): Promise<IntentOutcome> {
    this.requests.push(request);
    return this.onSubmit(request) ?? this.#lane.submit(request);
  }

  async confirmed(key: string): Promise<IntentOutcome> {
    return (await this.onConfirmed(key)) ?? this.#lane.confirmed(key);
  }
}

/** A chain that counts its calls by name. */
export function counting(chain: Chain): { readonly chain: Chain; readonly calls: string[] } {
  const calls: string[] = [];
  const counted = new Proxy(chain, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        calls.push(String(name));
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { chain: counted, calls };
}

export interface SourceParts {
  readonly chain?: Chain;
  readonly disk?: MemoryDisk;
  readonly lane?: TransactionLane;
  readonly spec?: WorkflowSpec;
}

/** anvil with the contracts, a registered worker on a real lane, and the task source on top. */
export class EvmBench implements AsyncDisposable {
  readonly dev: DevChain;
  readonly on: AnvilLane;
  readonly logs: Logs = captureLogs();
  readonly source: EvmTaskSource;
  readonly watcher: OfferWatcher;
  readonly #stop = new AbortController();
  #serial = 0;

  private constructor(dev: DevChain) {
    this.dev = dev;
    this.on = new AnvilLane(dev, "evm");
    ({ evm: this.source, offers: this.watcher } = this.create());
  }

  static async start(): Promise<EvmBench> {
    const bench = new EvmBench(await DevChain.start());
    const data = subnetControlPlaneInterface.encodeFunctionData("registerWorker", [500]);
    const to = bench.dev.contracts.subnetControlPlane;
    await bench.on.lane.submit({ ...bench.dev.enqueue(0, "register"), to, data });
    return bench;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.on[Symbol.asyncDispose]();
    await this.dev[Symbol.asyncDispose]();
  }

  /** A source as a process that starts anew has it. */
  create(parts: SourceParts = {}): {
    readonly evm: EvmTaskSource;
    readonly offers: OfferWatcher;
    readonly caller: ContractCaller;
  } {
    const { taskQueue, workflowEngine, multicall3 } = this.dev.contracts;
    const { heads } = this.on;
    const { chain = this.on.chain, disk = new MemoryDisk(), lane = this.on.lane, spec = SPEC } = parts;
    const specs = new SpecIndex([spec]);
    const { logger } = this.logs;
    const { signal } = this.#stop;
    const caller = new ContractCaller({
      chain,
      wallet: WORKER,
      taskQueue,
      multicall3,
      clock: systemClock,
      logger,
      signal,
    });
    const offers = new OfferWatcher(
      {
        source: "evm",
        taskQueue,
        queues: [ACTIVITY.queue],
        pollIntervalMs: 50,
        logRangeBlocks: 20,
        lookbackBlocks: 1_000,
      },
      { chain, heads, caller, specs, store: disk.open(), clock: systemClock, logger },
    );
    const evm = new EvmTaskSource(
      { name: "evm", wallet: WORKER, taskQueue, workflowEngine },
      {
        lane,
        heads,
        caller,
        watcher: offers,
        specs,
        clock: systemClock,
        logger,
        signal: this.#stop.signal,
      },
    );
    return { evm, offers, caller };
  }

  /** Enqueues an activity from anvil's first account and gives its id. */
  async enqueue(overrides: Record<string, unknown> = {}): Promise<string> {
    const params = {
      queueName: ACTIVITY.queue,
      partitionId: 0,
      workflowInstanceId: idOf(0),
      activityType: TYPE,
      inputData: INPUT,
      initData: "0x",
      exclusiveGroup: idOf(0),
      ...overrides,
    };
    const data = taskQueueInterface.encodeFunctionData("enqueueActivity", [params]);
    const { logs: events } = await this.mined(await this.send(this.dev.contracts.owner, data));
    const [event] = events;
    if (event === undefined) throw new Error("the TaskQueue tells nothing of what was enqueued");
    return String(event.topics[1]);
  }

  /** Another worker, registered. */
  async rival(): Promise<string> {
    const [, , other = ""] = (await this.dev.rpc("eth_accounts")) as string[];
    const register = subnetControlPlaneInterface.encodeFunctionData("registerWorker", [500]);
    await this.mined(await this.send(other, register, this.dev.contracts.subnetControlPlane));
    return other;
  }

  /** @throws when the transaction reverted */
  mined(hash: unknown): Promise<RawReceipt> {
    return minedBy((method, params) => this.dev.rpc(method, ...params), hash);
  }

  send(from: string, data: string, to: string = this.dev.contracts.taskQueue): Promise<unknown> {
    return this.dev.rpc("eth_sendTransaction", { from, to, data, gas: "0x4c4b40" });
  }

  /** Calls the TaskQueue from `from`, and waits for the block. */
  async queueCall(from: string, name: string, args: readonly unknown[]): Promise<void> {
    await this.mined(await this.send(from, taskQueueInterface.encodeFunctionData(name, args)));
  }

  taskOf(id: string, state: TaskState = { kind: "claiming" }): Task {
    this.#serial += 1;
    const { queue, kind, version } = ACTIVITY;
    return { id, source: "evm", queue, kind, version, workflowInstanceId: "", round: this.#serial, state };
  }

  async claimed(id: string): Promise<{ readonly task: Task; readonly lease: Lease }> {
    const task = this.taskOf(id);
    const outcome = await this.source.claim(task);
    if (outcome.kind !== "won") throw new Error(outcome.reason);
    const { lease } = outcome;
    return { task: { ...task, state: { kind: "claimed", lease, attempts: 0 } }, lease };
  }

  /** Lets chain time pass, and waits until the head says so. */
  async passChainTime(seconds: number): Promise<void> {
    await this.dev.rpc("evm_increaseTime", seconds);
    await this.dev.rpc("evm_mine");
    await this.whenHeadIsNewest();
  }

  async whenHeadIsNewest(): Promise<void> {
    // Asked again with every look: a block that comes meanwhile would make the one before it never the newest.
    await until(async () => {
      const newest = (await this.dev.rpc("eth_getBlockByNumber", "latest", false)) as {
        readonly hash: string;
      };
      return this.on.heads.latest()?.hash === newest.hash;
    });
  }
}
