import { createHash } from "node:crypto";
import { type Fees, initialFees } from "../src/domain/fees.ts";
import type { Receipt, Revert } from "../src/domain/intent.ts";
import {
  CallReverted,
  type CallRequest,
  type Chain,
  type Head,
  type Heads,
  type SendOutcome,
  type Signer,
  type TransactionRequest,
} from "../src/ports.ts";

export const WALLET = `0x${"aa".repeat(20)}`;
const GAS = 50_000n;

/** A transaction as the fake signer wraps it. */
export interface FakeTx {
  readonly hash: string;
  readonly nonce: number;
  readonly to: string;
  readonly data: string;
  readonly gasLimit: bigint;
  readonly fees: Fees;
}

/** Signs by writing everything down: the same request gives the same bytes, as with a real key. */
export class FakeSigner implements Signer {
  readonly address: string = WALLET;
  /** Nonces in the order in which signatures were asked for. */
  readonly asked: number[] = [];
  /** Called before each signature; may wait or throw. */
  before: (request: TransactionRequest) => Promise<void> = async () => undefined;

  async sign(request: TransactionRequest): Promise<{ readonly raw: string; readonly txHash: string }> {
    this.asked.push(request.nonce);
    await this.before(request);
    const raw = JSON.stringify(request, (_key, value: unknown) =>
      typeof value === "bigint" ? `${value}n` : value,
    );
    return { raw, txHash: hashOf(raw) };
  }
}

function hashOf(raw: string): string {
  return `0x${createHash("sha256").update(raw).digest("hex")}`;
}

export function parseTx(raw: string): FakeTx {
  const big = (_key: string, value: unknown) =>
    typeof value === "string" && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value;
  return { ...(JSON.parse(raw, big) as TransactionRequest), hash: hashOf(raw) };
}

/**
 * One node with one wallet on it: a pool by nonce, blocks when told (or at once),
 * and the answers of a real node to what it is sent.
 */
export class FakeChain implements Chain, Heads {
  readonly pool = new Map<number, FakeTx>();
  /** Transactions in mined order; `undefined` where somebody else used the nonce. */
  readonly mined: (FakeTx | undefined)[] = [];
  /** Every raw transaction that reached `send`, in order. */
  readonly sent: string[] = [];
  /** Data whose call throws when simulated, and why. */
  readonly refusals = new Map<string, Revert>();
  /** Data that passes the simulation and throws when it is mined, and why. */
  readonly reverts = new Map<string, Revert>();
  automine = false;
  baseFeeWei = 10_000_000_000n;
  tipWei = 1_000_000_000n;
  /** Receipts exist only this many looks after their block. */
  receiptLag = 0;
  /** Answers in place of the node; `undefined` lets the node answer. The node has the bytes only if it is asked. */
  intercept: (tx: FakeTx, node: () => SendOutcome) => SendOutcome | undefined = () => undefined;
  readonly #receipts = new Map<string, Receipt>();
  readonly #looks = new Map<string, number>();
  readonly #listeners = new Set<(head: Head) => void>();
  #head: Head = this.#headAt(1);

  async send(raw: string): Promise<SendOutcome> {
    this.sent.push(raw);
    const tx = parseTx(raw);
    const answer = this.intercept(tx, () => this.#receive(tx)) ?? this.#receive(tx);
    if (this.automine) this.mine();
    return answer;
  }

  #receive(tx: FakeTx): SendOutcome {
    if (tx.nonce < this.mined.length) return { kind: "nonce_too_low" };
    const rival = this.pool.get(tx.nonce);
    if (rival?.hash === tx.hash) return { kind: "accepted" };
    if (rival !== undefined && !outbids(tx.fees, rival.fees)) {
      return { kind: "underpriced", message: "replacement transaction underpriced" };
    }
    this.pool.set(tx.nonce, tx);
    return { kind: "accepted" };
  }

  /** One block of everything that can be mined at the present base fee. */
  mine(): void {
    this.#head = this.#headAt(this.#head.number + 1);
    for (let tx = this.#next(); tx !== undefined; tx = this.#next()) {
      this.pool.delete(tx.nonce);
      this.mined.push(tx);
      this.#receipts.set(tx.hash, {
        txHash: tx.hash,
        blockNumber: this.#head.number,
        gasUsed: GAS,
        effectiveGasPriceWei: this.baseFeeWei + tx.fees.maxPriorityFeePerGasWei,
        succeeded: !this.reverts.has(tx.data),
      });
    }
    for (const listener of this.#listeners) listener(this.#head);
  }

  #next(): FakeTx | undefined {
    const tx = this.pool.get(this.mined.length);
    return tx !== undefined && tx.fees.maxFeePerGasWei >= this.baseFeeWei ? tx : undefined;
  }

  /** Somebody else sends `count` transactions with our key, and they are mined. */
  useKeyElsewhere(count = 1): void {
    for (let taken = 0; taken < count; taken += 1) {
      this.pool.delete(this.mined.length);
      this.mined.push(undefined);
    }
    this.mine();
  }

  /** How often each call data took effect. */
  effects(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const tx of this.mined) if (tx !== undefined) counts[tx.data] = (counts[tx.data] ?? 0) + 1;
    return counts;
  }

  latest(): Head {
    return this.#head;
  }

  onHead(listener: (head: Head) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  async estimateGas(request: CallRequest): Promise<bigint> {
    const revert = this.refusals.get(request.data);
    if (revert !== undefined) throw new CallReverted(revert);
    return GAS;
  }

  async call(request: CallRequest): Promise<string> {
    const revert = this.reverts.get(request.data) ?? this.refusals.get(request.data);
    if (revert !== undefined) throw new CallReverted(revert);
    return "0x";
  }

  async minedCount(): Promise<number> {
    return this.mined.length;
  }

  async pendingCount(): Promise<number> {
    let count = this.mined.length;
    while (this.pool.has(count)) count += 1;
    return count;
  }

  async receipt(txHash: string): Promise<Receipt | undefined> {
    const receipt = this.#receipts.get(txHash);
    if (receipt === undefined) return undefined;
    const looks = (this.#looks.get(txHash) ?? 0) + 1;
    this.#looks.set(txHash, looks);
    return looks > this.receiptLag ? receipt : undefined;
  }

  async marketFees(): Promise<Fees> {
    return initialFees(this.baseFeeWei, this.tipWei);
  }

  async chainId(): Promise<bigint> {
    return 31_337n;
  }

  async code(): Promise<string> {
    return "0x60";
  }

  async logs(): Promise<readonly never[]> {
    return [];
  }

  async balanceWei(): Promise<bigint> {
    return 10n ** 18n;
  }

  #headAt(number: number): Head {
    return {
      number,
      hash: `0xb${number}`,
      timestampS: 1_700_000_000 + number,
      baseFeePerGasWei: this.baseFeeWei,
    };
  }
}

function outbids(fees: Fees, rival: Fees): boolean {
  return (
    fees.maxFeePerGasWei * 10n >= rival.maxFeePerGasWei * 11n &&
    fees.maxPriorityFeePerGasWei * 10n >= rival.maxPriorityFeePerGasWei * 11n
  );
}
