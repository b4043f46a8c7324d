import type { Fees } from "../src/domain/fees.ts";
import type { Revert } from "../src/domain/intent.ts";
import type { Block, EventLog, MinedReceipt } from "../src/chain-ports.ts";
import { batchLogs, callsIn, EXECUTOR } from "./_fake-batch.ts";
import { type FakeTx, foreignTx, INTRINSIC_GAS, isNoop, WALLET } from "./_fake-signer.ts";

/** What a call burns. */
export const CALL_GAS = 50_000n;
/** A wallet that delegates runs code also where it is sent nothing. */
export const DELEGATED_NOOP_GAS = 22_500n;
const ZERO_ADDRESS = `0x${"00".repeat(20)}`;

export interface FakeMined {
  readonly tx: FakeTx;
  readonly receipt: MinedReceipt;
  /** Data of the calls that took effect. */
  readonly effects: readonly string[];
}

export interface FakeBlock extends Block {
  readonly mined: readonly FakeMined[];
  /** The wallet's next nonce after this block. */
  readonly nonceAfter: number;
  /** What the wallet delegates to after this block. */
  readonly delegateAfter: string | undefined;
}

export interface ReorgOptions {
  /** What becomes of the transactions of the blocks that go: back to the pool, or gone. Default: all go back. */
  readonly keep?: boolean | ((tx: FakeTx) => boolean);
  /** Empty blocks in their place. Default one more than went, which is why the chain changed. */
  readonly blocks?: number;
}

interface Execution {
  readonly succeeded: boolean;
  readonly gasUsed: bigint;
  readonly effects: readonly string[];
  readonly logs: readonly Pick<EventLog, "address" | "topics" | "data">[];
}

/** Blocks and a pool of one wallet's transactions. */
export class FakeLedger {
  readonly pool = new Map<number, FakeTx>();
  readonly blocks: FakeBlock[] = [];
  /** Data whose call throws when it is mined, and why. */
  readonly reverts = new Map<string, Revert>();
  baseFeeWei = 10_000_000_000n;
  blockGasLimit = 30_000_000n;
  /** Batches throw as a whole, as with too little gas. */
  isBatchBroken = false;
  /** Number of the highest block there ever was. */
  highest = 0;
  #forks = 0;

  constructor() {
    this.#append([]);
    this.#append([]);
  }

  get head(): FakeBlock {
    return this.blocks.at(-1)!;
  }

  get mined(): readonly FakeMined[] {
    return this.blocks.flatMap(({ mined }) => mined);
  }

  /** One block of everything in the pool that can be mined at the present base fee. */
  mine(): void {
    const taken: FakeTx[] = [];
    let { nonceAfter: nonce } = this.head;
    let room = this.blockGasLimit;
    for (let tx = this.pool.get(nonce); tx !== undefined; tx = this.pool.get(nonce)) {
      if (tx.fees.maxFeePerGasWei < this.baseFeeWei || tx.gasLimit > room) break;
      this.pool.delete(nonce);
      taken.push(tx);
      room -= tx.gasLimit;
      nonce += noncesOf(tx);
    }
    this.#append(taken);
  }

  /** A block after which the wallet delegates to `contract`, by somebody's doing; `undefined` takes it back. */
  delegate(contract: string | undefined): void {
    this.#append([], { delegate: contract });
  }

  /** A block with transactions of somebody else who has the key, in place of ours. */
  mineForeign(count: number, fees: Fees): void {
    const { nonceAfter } = this.head;
    const foreign = Array.from({ length: count }, (_, index) => foreignTx(nonceAfter + index, fees));
    for (const { nonce } of foreign) this.pool.delete(nonce);
    this.#append(foreign);
  }

  /** The last `depth` blocks were never part of the chain. */
  reorg(depth: number, { keep = true, blocks }: ReorgOptions = {}): void {
    const gone = this.blocks.splice(Math.max(1, this.blocks.length - depth));
    this.#forks += 1;
    for (const { tx } of gone.flatMap(({ mined }) => mined)) {
      const isKept = typeof keep === "boolean" ? keep : keep(tx);
      if (isKept && !this.pool.has(tx.nonce)) this.pool.set(tx.nonce, tx);
    }
    for (let count = blocks ?? gone.length + 1; count > 0; count -= 1) this.#append([]);
  }

  /** How often each call data took effect on the chain as it is. */
  effects(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const data of this.mined.flatMap(({ effects }) => effects)) counts[data] = (counts[data] ?? 0) + 1;
    return counts;
  }

  #append(txs: readonly FakeTx[], changes: { readonly delegate?: string | undefined } = {}): void {
    const parent = this.blocks.at(-1);
    const number = this.blocks.length;
    this.highest = Math.max(this.highest, number);
    const hash = `0xb${number}${this.#forks === 0 ? "" : `f${this.#forks}`}`;
    let delegate = "delegate" in changes ? changes.delegate : parent?.delegateAfter;
    const mined = txs.map((tx, index): FakeMined => {
      if (isApplied(tx)) delegate = tx.authorization?.contract;
      if (delegate === ZERO_ADDRESS) delegate = undefined;
      const { effects, logs, ...result } = this.#execute(tx, delegate);
      const at = { blockNumber: number, blockHash: hash };
      const receipt: MinedReceipt = {
        ...result,
        ...at,
        txHash: tx.hash,
        effectiveGasPriceWei: this.baseFeeWei + tx.fees.maxPriorityFeePerGasWei,
        logs: logs.map((log, position) => ({ ...log, ...at, logIndex: index * 1_000 + position })),
      };
      return { tx, effects, receipt };
    });
    this.blocks.push({
      number,
      hash,
      parentHash: parent?.hash ?? "0x0",
      timestampS: 1_700_000_000 + number,
      baseFeePerGasWei: this.baseFeeWei,
      gasLimit: this.blockGasLimit,
      logsBloom: undefined,
      mined,
      nonceAfter: txs.reduce((nonce, tx) => nonce + noncesOf(tx), parent?.nonceAfter ?? 0),
      delegateAfter: delegate,
    });
    for (const nonce of this.pool.keys()) if (nonce < this.head.nonceAfter) this.pool.delete(nonce);
  }

  #execute(tx: FakeTx, delegate: string | undefined): Execution {
    const failed = { succeeded: false, gasUsed: tx.gasLimit, effects: [], logs: [] };
    if (tx.isForeign || isNoop(tx)) {
      const gasUsed = delegate === undefined ? INTRINSIC_GAS : DELEGATED_NOOP_GAS;
      return gasUsed > tx.gasLimit ? failed : { succeeded: true, gasUsed, effects: [], logs: [] };
    }
    if (tx.to === WALLET) return this.#executeBatch(tx, delegate) ?? failed;
    if (this.reverts.has(tx.data) || tx.gasLimit < CALL_GAS) return failed;
    return { succeeded: true, gasUsed: CALL_GAS, effects: [tx.data], logs: [] };
  }

  /** `undefined` when the batch throws as a whole. */
  #executeBatch(tx: FakeTx, delegate: string | undefined): Execution | undefined {
    const calls = callsIn(tx.data, "execute");
    // A wallet without code takes any data, and does nothing.
    if (delegate !== EXECUTOR || calls === undefined) {
      return { succeeded: true, gasUsed: INTRINSIC_GAS, effects: [], logs: [] };
    }
    // As the executor does: what a call may burn must be left when its turn comes.
    const isShort = calls.some(
      ({ gas }, index) => INTRINSIC_GAS + CALL_GAS * BigInt(index) + gas > tx.gasLimit,
    );
    if (this.isBatchBroken || isShort) return undefined;
    const failures = new Map<number, Revert>();
    const effects: string[] = [];
    for (const [index, { data }] of calls.entries()) {
      const revert = this.reverts.get(data);
      if (revert === undefined) effects.push(data);
      else failures.set(index, revert);
    }
    const gasUsed = INTRINSIC_GAS + CALL_GAS * BigInt(calls.length);
    return { succeeded: true, gasUsed, effects, logs: batchLogs(calls.length, failures) };
  }
}

/** An authorization of the sender itself takes a nonce too, if it names the right one. */
function isApplied({ nonce, authorization }: FakeTx): boolean {
  return authorization?.nonce === nonce + 1;
}

function noncesOf(tx: FakeTx): number {
  return isApplied(tx) ? 2 : 1;
}
