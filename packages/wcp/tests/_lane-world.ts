import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@subnet-worker/testkit";
import { OrderDesk } from "../src/adapters/sqlite/inspect-orders.ts";
import { openStore } from "../src/adapters/sqlite/store.ts";
import type { IntentOutcome, IntentRequest, TxOrder } from "../src/chain-ports.ts";
import type { Store } from "../src/ports.ts";
import type { LaneOptions } from "../src/services/lane/lane.ts";
import { FakeChain } from "./_fake-chain.ts";
import { FakeSigner, type FakeTx, WALLET } from "./_fake-signer.ts";
import { BATCHING, LaneBench } from "./_lane-bench.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { type Ending, Mortal } from "./_mortal.ts";
import { settle } from "./_until.ts";

export const NEVER: number = Number.MAX_SAFE_INTEGER;

/** Where a store is kept between processes. */
export interface WorldDisk extends Disposable {
  open(): Store;
  /** The operator asks for something, in another process. */
  order(action: TxOrder["action"], nonce: number): void;
  /** How many turns of the event loop a commit takes, where that can be told. */
  slow(turns: number): void;
  /** Resolves when what was written before is on disk: that takes real time, which turns do not measure. */
  written(): Promise<void>;
}

export interface WorldOptions {
  readonly confirmationsBlocks: number;
  readonly maxPending: number;
  readonly isBatching: boolean;
  readonly isCapped: boolean;
  readonly createDisk: (clock: FakeClock) => WorldDisk;
}

export function memoryDisk(clock: FakeClock): WorldDisk {
  const disk = new MemoryDisk(clock);
  return {
    open: () => disk.open(),
    order: (action, nonce) => void disk.order(action, nonce),
    slow: (turns) => {
      disk.turnsPerCommit = turns;
    },
    written: async () => undefined,
    [Symbol.dispose]: () => undefined,
  };
}

/** A database file, as the process has it. */
export function sqliteDisk(clock: FakeClock): WorldDisk {
  const folder = mkdtempSync(join(tmpdir(), "wcp-lane-"));
  const path = join(folder, "wcp.db");
  let store: Store | undefined;
  return {
    open: () => (store = openStore({ path, chainId: 31_337n, wallet: WALLET }, { clock })),
    order: (action, nonce) => {
      using desk = new OrderDesk(path);
      desk.place({ action, nonce }, clock.nowMs());
    },
    slow: () => undefined,
    written: async () => store?.saveCursor("written", { blockNumber: 0, blockHash: "0x" }),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

/** What the lane said that can be held against it later. */
interface Said {
  readonly key: string;
  readonly outcome: IntentOutcome;
}

const CEILING_WEI = 30_000_000_000n;
const CHAIN_CALLS = [
  "code",
  "minedCount",
  "pendingCount",
  "estimateGas",
  "feeMarket",
  "send",
  "receipt",
  "call",
] as const;
const STORE_CALLS = ["addIntent", "saveIntents", "saveTransaction", "answerOrder"] as const;

/** A chain and a disk, over which processes come and go, and a book of what was asked and what was said. */
export class LaneWorld implements AsyncDisposable {
  readonly chain = new FakeChain();
  readonly clock = new FakeClock();
  readonly options: WorldOptions;
  disk: WorldDisk;
  bench: LaneBench;
  process: Mortal;
  /** Everything that was ever asked for, by key. */
  readonly requests = new Map<string, IntentRequest>();
  /** Asked for before the database was deleted, and not since. */
  readonly forgotten = new Set<string>();
  /** Final endings, as callers heard of them. */
  readonly confirmed: Said[] = [];
  /** What the lane said it did, by kind: bumped, reorged, gap_filled ... and how intents ended. */
  readonly seen = new Set<string>();
  /** Rules that were broken while it ran. */
  readonly violations: string[] = [];
  /** How often the database was deleted. */
  wipes = 0;
  /** Reorgs deeper than what counts as final. */
  deepReorgs = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.disk = options.createDisk(this.clock);
    this.answer(() => undefined);
    [this.bench, this.process] = this.#boot(NEVER, "before");
  }

  /** How the node answers from now on. Whatever it is, the bytes have to be on disk by then. */
  answer(answer: FakeChain["intercept"]): void {
    this.chain.intercept = (tx, node) => {
      this.#checkStored(tx);
      if (this.options.isCapped && tx.fees.maxFeePerGasWei > CEILING_WEI) {
        this.violations.push(`nonce ${tx.nonce} pays more than the ceiling`);
      }
      return answer(tx, node);
    };
  }

  #checkStored(tx: FakeTx): void {
    const attempts = this.bench.attemptsAt(tx.nonce);
    if (!attempts.some(({ txHash }) => txHash === tx.hash)) {
      this.violations.push(`nonce ${tx.nonce} was sent with bytes that are not on disk`);
    }
  }

  submit(request: IntentRequest): void {
    if (!this.requests.has(request.key)) this.requests.set(request.key, request);
    this.#ask(this.requests.get(request.key) ?? request);
  }

  #ask(request: IntentRequest): void {
    const { lane } = this.bench;
    lane.submit(request).catch(() => undefined); // the process ended; the last one is asked again
    lane.confirmed(request.key).then(
      (outcome) => this.confirmed.push({ key: request.key, outcome }),
      () => undefined, // as above
    );
  }

  /** The process is killed, if it is not gone already, and a new one starts. */
  async restart(cutAt: number, ending: Ending): Promise<void> {
    this.process.kill();
    this.bench.store[Symbol.dispose]();
    [this.bench, this.process] = this.#boot(cutAt, ending);
    await settle(3);
    this.#askAgain();
  }

  /** The process is asked to stop, does, and a new one starts. */
  async stopAndStart(): Promise<void> {
    if (this.process.isOver) return this.restart(NEVER, "before");
    await this.#stopBench();
    return this.restart(NEVER, "before");
  }

  /** The database is deleted while no process runs. */
  async wipe(): Promise<void> {
    this.process.kill();
    this.bench.store[Symbol.dispose]();
    this.disk[Symbol.dispose]();
    for (const key of this.requests.keys()) this.forgotten.add(key);
    this.wipes += 1;
    this.disk = this.options.createDisk(this.clock);
    [this.bench, this.process] = this.#boot(NEVER, "before");
    await settle(3);
  }

  /** Whoever had asked before asks the new process, as the task book does. */
  #askAgain(): void {
    for (const { key } of this.bench.store.openIntents()) {
      const request = this.requests.get(key);
      if (request !== undefined) this.#ask(request);
    }
  }

  /** Everybody who ever asked asks again, unless the database forgot about it. */
  askAll(): void {
    for (const [key, request] of this.requests) if (!this.forgotten.has(key)) this.#ask(request);
  }

  async pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += 1_000) {
      await this.clock.advance(1_000);
      await settle(4);
      // No second passes on the test's clock while the real disk is behind.
      await this.disk.written();
      await settle(4);
    }
  }

  async #stopBench(): Promise<void> {
    try {
      await this.bench.stop();
    } catch (error) {
      this.violations.push(`the lane failed: ${String(error)}`);
    }
  }

  #boot(cutAt: number, ending: Ending): [LaneBench, Mortal] {
    let bench: LaneBench | undefined;
    const process = new Mortal(cutAt, ending, () => void bench?.stop());
    const { chain, disk, clock, options } = this;
    const signer = new FakeSigner();
    const store = disk.open();
    bench = new LaneBench(laneOptions(options), {
      chain,
      clock,
      signer,
      store,
      deps: {
        chain: process.guard<FakeChain>(chain, CHAIN_CALLS),
        signer: process.guard<FakeSigner>(signer, ["sign"]),
        store: process.guard(store, STORE_CALLS),
        onEvent: (event) => this.seen.add(event),
        onOutcome: ({ state }) => this.seen.add(state.kind === "dropped" ? state.reason : state.kind),
        onTransaction: ({ kind }) => this.seen.add(kind),
      },
    });
    bench.run((error) => {
      if (!process.isOver) this.violations.push(`the lane failed: ${String(error)}`);
    });
    return [bench, process];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.isOver) this.process.kill();
    else await this.#stopBench();
    this.bench.store[Symbol.dispose]();
    this.disk[Symbol.dispose]();
  }
}

function laneOptions(options: WorldOptions): Partial<LaneOptions> {
  return {
    confirmationsBlocks: options.confirmationsBlocks,
    maxPending: options.maxPending,
    maxFeePerGasWei: options.isCapped ? CEILING_WEI : 0n,
    resendAfterMs: 3_000,
    bumpAfterMs: 6_000,
    repairAfterMs: 5_000,
    batching: options.isBatching ? BATCHING : undefined,
  };
}
