import { FakeClock } from "@subnet-worker/testkit";
import type { Intent } from "../src/domain/intent.ts";
import type { Attempt, Transaction } from "../src/domain/transaction.ts";
import type { IntentOutcome, IntentRequest } from "../src/chain-ports.ts";
import type { Store } from "../src/ports.ts";
import { Lane, type LaneDeps, type LaneOptions } from "../src/services/lane/lane.ts";
import { aRequest } from "./_builders.ts";
import { FakeBatchCodec } from "./_fake-batch.ts";
import { FakeChain } from "./_fake-chain.ts";
import { FakeSigner, isNoop, parseTx } from "./_fake-signer.ts";
import { captureLogs, type Logs } from "./_logs.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { settle } from "./_until.ts";

export const LANE_OPTIONS: LaneOptions = {
  maxPending: 64,
  gasBumpPercent: 15,
  gasMarginPercent: 30,
  resendAfterMs: 12_000,
  bumpAfterMs: 48_000,
  maxFeePerGasWei: 0n,
  confirmationsBlocks: 0,
  repairAfterMs: 30_000,
  missingAfterMs: 10_000,
  batching: undefined,
};

export const BATCHING: LaneOptions["batching"] = { codec: new FakeBatchCodec(), gasPercent: 80 };

/** A request whose key and data are its name, so that its effect can be found on the chain. */
export function request(
  name: string,
  kind: IntentRequest["kind"] = "claim",
  more: Partial<IntentRequest> = {},
): IntentRequest {
  return aRequest({ key: name, kind, taskId: name, data: `0x${name}`, ...more });
}

/** Lets the world turn, up to `turns` times, until `all` has settled. */
export async function turnUntilSettled<T>(
  all: Promise<T>,
  turn: () => Promise<void>,
  turns: number,
): Promise<T> {
  const progress = { isDone: false };
  const watched = all.finally(() => {
    progress.isDone = true;
  });
  for (let count = 0; count < turns && !progress.isDone; count += 1) await turn();
  if (progress.isDone) return watched;
  watched.catch(() => undefined); // the news is that it never settled
  throw new Error(`not settled after ${turns} turns`);
}

/** What waits in the pool, by nonce: call data, or "noop". */
export function inPool(chain: FakeChain): [number, string][] {
  return [...chain.pool.values()]
    .toSorted((a, b) => a.nonce - b.nonce)
    .map((tx) => [tx.nonce, isNoop(tx) ? "noop" : tx.data]);
}

/** How many different transactions were sent. */
export function distinct(chain: FakeChain): number {
  return new Set(chain.sent).size;
}

export interface LaneBenchParts {
  readonly chain: FakeChain;
  readonly disk: MemoryDisk;
  readonly clock: FakeClock;
  readonly signer: FakeSigner;
  /** In place of one on the disk. */
  readonly store: Store;
  readonly deps: Partial<LaneDeps>;
}

/** A lane on a chain, a disk and a clock that outlive it. */
export class LaneBench implements AsyncDisposable {
  readonly chain: FakeChain;
  readonly disk: MemoryDisk;
  readonly clock: FakeClock;
  readonly signer: FakeSigner;
  readonly store: Store;
  readonly logs: Logs = captureLogs();
  readonly lane: Lane;
  /** Every ending that was told, in order. */
  readonly ended: Intent[] = [];
  /** Every transaction that a block had, in order. */
  readonly included: Transaction[] = [];
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: Partial<LaneOptions> = {}, parts: Partial<LaneBenchParts> = {}) {
    this.chain = parts.chain ?? new FakeChain();
    this.clock = parts.clock ?? new FakeClock();
    this.disk = parts.disk ?? new MemoryDisk(this.clock);
    this.signer = parts.signer ?? new FakeSigner();
    this.store = parts.store ?? this.disk.open();
    this.lane = new Lane(
      { ...LANE_OPTIONS, ...options },
      {
        chain: this.chain,
        heads: this.chain,
        signer: this.signer,
        store: this.store,
        clock: this.clock,
        logger: this.logs.logger,
        onOutcome: (intent) => this.ended.push(intent),
        onTransaction: (transaction) => this.included.push(transaction),
        ...parts.deps,
      },
    );
  }

  /** A lane that runs. */
  static async start(...args: ConstructorParameters<typeof LaneBench>): Promise<LaneBench> {
    const bench = new LaneBench(...args);
    bench.run();
    await settle();
    return bench;
  }

  /** `onFault` hears of it when the lane ends by itself; `stop` rejects with it as well. */
  run(onFault: (error: unknown) => void = () => undefined): void {
    this.#running = this.lane.run(this.#stop.signal);
    this.#running.catch(onFault);
  }

  /** Submits; the outcome is looked at later, so a rejection meanwhile is not an unhandled one. */
  submit(name: string, kind?: IntentRequest["kind"], more?: Partial<IntentRequest>): Promise<IntentOutcome> {
    const outcome = this.lane.submit(request(name, kind, more));
    outcome.catch(() => undefined);
    return outcome;
  }

  /** Asks the lane to stop and waits for its end. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Lets time pass in steps, so that what waits for the disk in one is done before the next. */
  async pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += 500) {
      await this.clock.advance(500);
      await settle(6);
    }
  }

  /** Blocks come, with time between them. */
  async mine(blocks = 1): Promise<void> {
    for (let count = 0; count < blocks; count += 1) {
      this.chain.mine();
      await settle();
    }
  }

  /** The stored attempts of the transaction that carries an intent, or carried it. */
  attempts(name: string): readonly Attempt[] {
    const state = this.store.intentByKey(name)?.state;
    return state !== undefined && "nonce" in state ? this.attemptsAt(state.nonce) : [];
  }

  attemptsAt(nonce: number): readonly Attempt[] {
    return this.store.transactionAt(nonce)?.attempts ?? [];
  }

  /** Data of what was sent, in order; a no-op is "noop". */
  sentData(): string[] {
    return this.chain.sent.map((raw) => {
      const tx = parseTx(raw);
      return isNoop(tx) ? "noop" : tx.data;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.store[Symbol.dispose]();
  }
}
