import type { Logger } from "@subnet-worker/kit";
import type { Intent, Revert } from "../../domain/intent.ts";
import type { BatchCall, BatchCodec, BatchResult, Chain, Heads, Signer } from "../../chain-ports.ts";
import { StoppedError } from "../../ports.ts";
import type { Draft } from "./signing-desk.ts";
import type { Simulation } from "./simulation.ts";

export interface BatcherOptions {
  readonly codec: BatchCodec;
  /** Most gas of one batch, in percent of the block gas limit. */
  readonly gasPercent: number;
}

export interface BatcherDeps {
  readonly chain: Chain;
  readonly heads: Heads;
  readonly signer: Signer;
  readonly simulation: Simulation;
  readonly logger: Logger;
  /** Whether the wallet delegates at all: then nodes take one transaction of it at a time. */
  readonly onDelegate: (isDelegated: boolean) => void;
}

export interface PackedBatch {
  readonly draft: Draft;
  readonly intents: readonly Intent[];
}

export interface Packing {
  /** `undefined` when nothing is left to send. */
  readonly batch: PackedBatch | undefined;
  readonly refused: readonly { readonly intent: Intent; readonly revert: Revert }[];
  /** Those that did not fit. */
  readonly left: readonly Intent[];
  /** Those whose part of the simulation says nothing; they are to be simulated alone. */
  readonly solo: readonly Intent[];
}

/** Until a call of its kind was simulated. */
const UNKNOWN_GAS = 500_000n;
/**
 * Added to what a call burnt in the simulation: state may change before the block, and a slot that another
 * call had filled in the simulation costs 20,000 more when this one has to.
 */
const callLimit = (gasUsed: bigint) => (gasUsed * 13n) / 10n + 30_000n;
/** Nothing is burnt by a simulation: room for calls that take far more than the last of their kind. */
const simulationLimit = (gas: bigint) => gas * 3n + 200_000n;
/** One call's surplus is the next one's: together they need far less of it than each alone. */
const sumLimit = (gasUsed: bigint) => (gasUsed * 103n) / 100n + 100_000n;
/** What a simulated call takes besides: its data, and what the executor does around it. */
const SIMULATED_CALL_GAS = 10_000n;
const MOST_DELEGATIONS = 3;
/** Nodes refuse transactions above 128 KiB, envelope included. */
const MOST_BATCH_BYTES = 126_000;
/** What a call takes besides its own data: offset, address, gas, length and padding. */
const CALL_BYTES = 192;
/** Shrunk this often because the chain takes no transaction that large, batching is given up. */
const MOST_SHRINKS = 4;

/**
 * Puts many intents into one transaction of the wallet to itself, through its
 * delegation (EIP-7702) to the batch executor. Where the chain has no such
 * thing, or the wallet is delegated to something else, it turns itself off.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #deps: BatcherDeps;
  readonly #gasByCall = new Map<string, bigint>();
  #mode: "unknown" | "delegated" | "undelegated" | "off" = "unknown";
  #gasPercent: number;
  #shrinks = 0;
  #delegations = 0;

  constructor(options: BatcherOptions, deps: BatcherDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#gasPercent = options.gasPercent;
  }

  get isOff(): boolean {
    return this.#mode === "off";
  }

  /** Whether batches can be sent now, or the wallet has to be delegated first, or neither. */
  async readiness(): Promise<"ready" | "delegate" | "off"> {
    if (this.#mode === "unknown" || this.#mode === "undelegated") await this.#look();
    if (this.#mode === "undelegated" && this.#delegations >= MOST_DELEGATIONS) {
      this.turnOff("the wallet's delegation does not take effect");
    }
    if (this.#mode === "delegated") return "ready";
    return this.#mode === "undelegated" ? "delegate" : "off";
  }

  /** Leaves everything as it is, for now, when the node will not say. */
  async #look(): Promise<void> {
    try {
      this.#mode = await this.#readDelegation();
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      this.#deps.logger.warn(
        { err: error },
        "the node does not say what the wallet delegates to; asking again",
      );
    }
  }

  /** The transaction that delegates the wallet to the executor: an empty batch to itself. */
  delegation(): Draft {
    const { codec } = this.#options;
    this.#delegations += 1;
    return {
      to: this.#deps.signer.address,
      data: codec.encode([]),
      gasLimit: codec.overheadGas([], true) + 30_000n,
      delegateTo: codec.executor,
      isNoop: false,
    };
  }

  /** What the wallet delegates to is to be read again. */
  recheck(): void {
    if (this.#mode !== "off") this.#mode = "unknown";
  }

  turnOff(reason: string): void {
    if (this.#mode === "off") return;
    this.#mode = "off";
    this.#deps.logger.warn({ reason }, "batching is off; transactions go out one by one");
  }

  /** The chain takes no transaction this large. */
  shrink(reason: string): void {
    this.#shrinks += 1;
    this.#gasPercent = Math.max(1, Math.floor(this.#gasPercent / 2));
    if (this.#shrinks > MOST_SHRINKS) this.turnOff(reason);
    else
      this.#deps.logger.warn(
        { reason, gas_percent: this.#gasPercent },
        "the chain refuses a batch this large; making smaller ones",
      );
  }

  /** How many of the queue's next intents fit into a batch, as far as is known. */
  fits(intents: Iterable<Intent>): number {
    let gas = 0n;
    let sizeBytes = 0;
    let count = 0;
    for (const intent of intents) {
      gas += this.#guess(intent);
      sizeBytes += intent.data.length / 2 + CALL_BYTES;
      if (sumLimit(gas) > this.#maxGas() || sizeBytes > MOST_BATCH_BYTES) break;
      count += 1;
    }
    return Math.max(1, count);
  }

  /** Simulates the intents as one batch and packs those that would succeed. Rejects with StoppedError. */
  async pack(intents: readonly Intent[], signal: AbortSignal): Promise<Packing> {
    const results = await this.#simulate(intents, signal);
    const refused: { intent: Intent; revert: Revert }[] = [];
    const good: { intent: Intent; gasUsed: bigint }[] = [];
    const solo: Intent[] = [];
    for (const [index, intent] of intents.entries()) {
      const result = results[index];
      if (result === undefined) solo.push(intent);
      else if (result.ok) good.push({ intent, gasUsed: this.#learn(intent, result.gasUsed) });
      else if (result.revert.name === "") solo.push(intent); // short of gas looks like this
      else refused.push({ intent, revert: result.revert });
    }
    const { batch, left } = this.#fit(good);
    return { batch, refused, left, solo };
  }

  #fit(good: readonly { readonly intent: Intent; readonly gasUsed: bigint }[]) {
    const most = this.#maxGas();
    let count = good.length;
    while (count > 0) {
      const packed = good.slice(0, count);
      const draft = this.#draft(packed);
      if (draft.gasLimit <= most || count === 1) {
        return {
          batch: { draft, intents: packed.map(({ intent }) => intent) },
          left: good.slice(count).map(({ intent }) => intent),
        };
      }
      // Calls of one kind are much alike: the share that is too much tells how many are.
      count = Math.max(1, Math.min(count - 1, Number((BigInt(count) * most) / draft.gasLimit)));
    }
    return { batch: undefined, left: [] };
  }

  #draft(packed: readonly { readonly intent: Intent; readonly gasUsed: bigint }[]): Draft {
    const calls = packed.map(({ intent: { to, data }, gasUsed }): BatchCall => ({
      to,
      data,
      gas: callLimit(gasUsed),
    }));
    const { codec } = this.#options;
    const burnt = packed.reduce((sum, { gasUsed }) => sum + gasUsed, 0n);
    const largest = calls.reduce((most, { gas }) => (gas > most ? gas : most), 0n);
    return {
      to: this.#deps.signer.address,
      data: codec.encode(calls),
      gasLimit: codec.overheadGas(calls, false) + sumLimit(burnt) + largest,
      isNoop: false,
    };
  }

  /** A result for each intent; `undefined` where the simulation said nothing. */
  async #simulate(
    intents: readonly Intent[],
    signal: AbortSignal,
  ): Promise<readonly (BatchResult | undefined)[]> {
    const parts = this.#simulationParts(intents).map((part) => this.#simulatePart(part, signal));
    return (await Promise.all(parts)).flat();
  }

  /**
   * A node gives an eth_call no more gas than a block has, and a simulation takes more than the batch: each
   * call may burn thrice what is expected. So it is made in parts.
   */
  #simulationParts(intents: readonly Intent[]): readonly (readonly Intent[])[] {
    const budget = this.#blockGas() / 2n;
    const parts: Intent[][] = [];
    let gas = budget;
    for (const intent of intents) {
      const guess = this.#guess(intent);
      if (gas + simulationLimit(guess) > budget) {
        parts.push([]);
        gas = 0n;
      }
      parts.at(-1)?.push(intent);
      gas += guess + SIMULATED_CALL_GAS;
    }
    return parts;
  }

  async #simulatePart(
    intents: readonly Intent[],
    signal: AbortSignal,
  ): Promise<readonly (BatchResult | undefined)[]> {
    const { codec } = this.#options;
    const calls = intents.map((intent): BatchCall => ({
      to: intent.to,
      data: intent.data,
      gas: simulationLimit(this.#guess(intent)),
    }));
    const answer = await this.#deps.simulation.call(
      { to: this.#deps.signer.address, data: codec.encodeSimulation(calls) },
      { key: `a batch of ${intents.length}`, signal },
    );
    const results = typeof answer === "string" ? this.#decode(answer) : undefined;
    if (results !== undefined) return results;
    this.recheck();
    this.#deps.logger.warn(
      { reason: typeof answer === "string" ? answer.slice(0, 74) : answer.message, intents: intents.length },
      "a batch could not be simulated; its calls go out one by one",
    );
    return intents.map(() => undefined);
  }

  /** `undefined` when it is not the executor that has answered. */
  #decode(answer: string): readonly BatchResult[] | undefined {
    try {
      return answer === "0x" ? undefined : this.#options.codec.decodeSimulation(answer);
    } catch (error) {
      this.#deps.logger.debug({ err: error }, "the answer is not the batch executor's");
      return undefined;
    }
  }

  async #readDelegation(): Promise<"delegated" | "undelegated" | "off"> {
    const { chain, signer } = this.#deps;
    const { codec } = this.#options;
    const delegate = codec.delegateOf(await chain.code(signer.address));
    this.#deps.onDelegate(delegate !== undefined);
    if (delegate === undefined) return "undelegated";
    if (delegate.toLowerCase() === codec.executor.toLowerCase()) return "delegated";
    this.turnOff(
      `the wallet delegates to ${delegate}, which is not ethereum.batch_executor_address (${codec.executor}); take that back with "wcp delegation revoke" if it is not wanted`,
    );
    return "off";
  }

  #maxGas(): bigint {
    return (this.#blockGas() * BigInt(this.#gasPercent)) / 100n;
  }

  #blockGas(): bigint {
    const limit = this.#deps.heads.latest()?.gasLimit ?? 0n;
    return limit === 0n ? 30_000_000n : limit;
  }

  #guess(intent: Intent): bigint {
    return this.#gasByCall.get(shapeOf(intent)) ?? UNKNOWN_GAS;
  }

  /** Remembers the gas of a call; a running mean, so that one odd call does not spoil the guess. */
  #learn(intent: Intent, gasUsed: bigint): bigint {
    const shape = shapeOf(intent);
    const known = this.#gasByCall.get(shape);
    this.#gasByCall.set(shape, known === undefined ? gasUsed : (known * 3n + gasUsed) / 4n);
    return gasUsed;
  }
}

function shapeOf({ to, kind }: Intent): string {
  return `${kind}:${to}`;
}
