import type { Clock, Logger } from "@subnet-worker/kit";
import type { Intent, IntentEvent, Revert } from "../../domain/intent.ts";
import type { Transaction } from "../../domain/transaction.ts";
import type { Heads } from "../../chain-ports.ts";
import type { TaskGroup } from "../task-group.ts";
import { Wake } from "../wake.ts";
import type { Batcher } from "./batcher.ts";
import type { LaneBook } from "./book.ts";
import type { IntentQueue } from "./intent-queue.ts";
import type { Market } from "./market.ts";
import type { Sender } from "./sender.ts";
import type { Draft, SigningDesk } from "./signing-desk.ts";
import type { Simulation } from "./simulation.ts";

export interface FillerOptions {
  /** Most nonces outstanding at once. */
  readonly maxPending: number;
  /** No attempt pays more per gas than this; 0 means no ceiling. */
  readonly maxFeePerGasWei: bigint;
}

export interface FillerDeps {
  readonly queue: IntentQueue;
  readonly book: LaneBook;
  readonly desk: SigningDesk;
  readonly market: Market;
  readonly sender: Sender;
  readonly simulation: Simulation;
  readonly batcher: Batcher | undefined;
  readonly heads: Heads;
  readonly work: TaskGroup;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Adds the safety margin to an estimate. */
  readonly withMargin: (gas: bigint) => bigint;
  /** Puts an intent back into the queue. */
  readonly requeue: (intent: Intent, how: { readonly solo: boolean }) => void;
}

/** What becomes a transaction. */
interface Plan {
  readonly draft: Draft;
  readonly kind: Transaction["kind"];
  readonly intents: readonly Intent[];
}

/** The end of an intent that came too late for a nonce. */
export const LATE: IntentEvent = {
  kind: "dropped",
  reason: "expired",
  message: "its deadline passed before it got a nonce",
};
/** Nodes refuse transactions above 128 KiB, envelope included. */
const MOST_DATA_BYTES = 130_000;

/** Takes intents from the queue while there is room, simulates them, and has them signed and sent. */
export class Filler {
  readonly #options: FillerOptions;
  readonly #deps: FillerDeps;
  readonly #wake = new Wake();
  /** Ids of intents that are not to go into a batch again. */
  readonly #solo = new Set<number>();
  #preparing = 0;
  #isSpike = false;
  /** The wallet runs code, so that nodes take one transaction of it at a time. */
  isDelegated = false;

  constructor(options: FillerOptions, deps: FillerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Intents that are being simulated or signed. */
  get preparing(): number {
    return this.#preparing;
  }

  /** Whether claims are held because the chain asks for more than the ceiling. */
  get isSpike(): boolean {
    return this.#isSpike;
  }

  /** There may be something to do. */
  wake(): void {
    this.#wake.notify();
  }

  keepSolo({ id }: Intent): void {
    this.#solo.add(id);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Also with nothing to send: claims come only once it is known that the spike is over.
      if (this.#isSpike) await this.#lookAtFees();
      while (this.#deps.queue.size > 0 && this.#room() > 0 && !signal.aborted) {
        const work = await this.#next(signal);
        if (work === undefined) break;
        this.#prepare(work);
      }
      await this.#wake.wait(signal);
    }
  }

  #room(): number {
    const { batcher, book } = this.#deps;
    const isOne = this.isDelegated || (batcher !== undefined && !batcher.isOff);
    return (isOne ? 1 : this.#options.maxPending) - book.signedCount - this.#preparing;
  }

  #prepare(work: () => Promise<void>): void {
    this.#preparing += 1;
    this.#deps.work.start(() =>
      work().finally(() => {
        this.#preparing -= 1;
        this.#wake.notify();
      }),
    );
  }

  /** Takes the next intent, or batch of intents, from the queue; `undefined` when none may go. */
  async #next(signal: AbortSignal): Promise<(() => Promise<void>) | undefined> {
    const { batcher, queue } = this.#deps;
    await this.#lookAtFees();
    const mayGo = (intent: Intent) => !(this.#isSpike && intent.kind === "claim");
    const batch = batcher === undefined ? undefined : await this.#nextBatch(batcher, { mayGo, signal });
    if (batch !== undefined) return batch;
    const [intent] = queue.take(mayGo, 1);
    return intent === undefined ? undefined : () => this.#prepareSingle(intent, signal);
  }

  async #lookAtFees(): Promise<void> {
    const { market } = this.#deps;
    this.#isSpike = this.#options.maxFeePerGasWei > 0n && (await market.isSpike(this.#isSpike));
  }

  /** `undefined` when what waits had better go alone. */
  async #nextBatch(
    batcher: Batcher,
    { mayGo, signal }: { readonly mayGo: (intent: Intent) => boolean; readonly signal: AbortSignal },
  ): Promise<(() => Promise<void>) | undefined> {
    const { queue } = this.#deps;
    const mayJoin = (intent: Intent) => mayGo(intent) && !this.#solo.has(intent.id);
    const isWorthIt = () => [...queue].filter(mayJoin).length > 1;
    if (!isWorthIt()) return undefined;
    const readiness = await batcher.readiness();
    if (readiness === "off") return undefined;
    if (readiness === "delegate") {
      return () =>
        this.#signAndSend({ draft: batcher.delegation(), kind: "delegation", intents: [] }, signal);
    }
    const waiting = [...queue].filter(mayJoin);
    const ids = new Set(waiting.slice(0, batcher.fits(waiting)).map(({ id }) => id));
    const intents = queue.take(({ id }) => ids.has(id));
    return intents.length === 0 ? undefined : () => this.#prepareBatch(batcher, intents, signal);
  }

  async #prepareBatch(batcher: Batcher, intents: readonly Intent[], signal: AbortSignal): Promise<void> {
    const { book, requeue } = this.#deps;
    const { batch, refused, left, solo } = await batcher.pack(intents, signal);
    for (const intent of left) requeue(intent, { solo: false });
    for (const intent of solo) requeue(intent, { solo: true });
    await Promise.all(refused.map(({ intent, revert }) => book.end(intent, { kind: "refused", revert })));
    if (batch !== undefined) await this.#signAndSend({ ...batch, kind: "batch" }, signal);
  }

  async #prepareSingle(intent: Intent, signal: AbortSignal): Promise<void> {
    const { book, simulation, withMargin, clock } = this.#deps;
    const gas = await simulation.gas(intent, signal);
    this.#solo.delete(intent.id);
    const revert = typeof gas === "bigint" ? this.#tooLarge(intent, gas) : gas;
    if (revert !== undefined || typeof gas !== "bigint") {
      await book.end(intent, { kind: "refused", revert: revert ?? { name: "", message: "refused" } });
      return;
    }
    if (intent.deadlineMs !== undefined && intent.deadlineMs <= clock.nowMs()) {
      await book.end(intent, LATE);
      return;
    }
    const draft = { to: intent.to, data: intent.data, gasLimit: withMargin(gas), isNoop: false };
    await this.#signAndSend({ draft, kind: "single", intents: [intent] }, signal);
  }

  /** What no block can take is refused before it has a nonce. */
  #tooLarge(intent: Intent, gas: bigint): Revert | undefined {
    const limit = this.#deps.heads.latest()?.gasLimit ?? 0n;
    const sizeBytes = intent.data.length / 2;
    const problem =
      sizeBytes > MOST_DATA_BYTES
        ? `has ${sizeBytes} bytes of data, and nodes take ${MOST_DATA_BYTES}`
        : `takes ${gas} gas, and a block of this chain has ${limit}`;
    const isFine = sizeBytes <= MOST_DATA_BYTES && (limit === 0n || gas <= limit);
    return isFine ? undefined : { name: "", message: `${intent.kind} ${problem}: it can never be mined` };
  }

  async #signAndSend({ draft, kind, intents }: Plan, signal: AbortSignal): Promise<void> {
    const { desk, market, book, sender, clock } = this.#deps;
    const entry = await desk.signNext(draft, {
      fees: () => market.initial(),
      store: ({ nonce, attempt }) =>
        book.sign(
          {
            nonce,
            kind,
            intentIds: intents.map(({ id }) => id),
            attempts: [attempt],
            createdAtMs: clock.nowMs(),
            state: { kind: "signed" },
          },
          intents,
        ),
      signal,
    });
    await sender.send(entry);
  }
}
