import type { FeeMarket, Fees } from "../src/domain/fees.ts";
import type { Revert } from "../src/domain/intent.ts";
import {
  type Block,
  CallReverted,
  type CallRequest,
  type Chain,
  type Head,
  type Heads,
  type MinedReceipt,
  type SendOutcome,
} from "../src/chain-ports.ts";
import { callsIn, delegationCode, EXECUTOR, simulationAnswer } from "./_fake-batch.ts";
import {
  CALL_GAS,
  DELEGATED_NOOP_GAS,
  type FakeBlock,
  FakeLedger,
  type FakeMined,
  type ReorgOptions,
} from "./_fake-ledger.ts";
import { type FakeTx, INTRINSIC_GAS, parseTx, WALLET } from "./_fake-signer.ts";

/**
 * One node with one wallet on it: a pool by nonce, blocks when told (or at once),
 * and the answers of a real node to what it is sent and asked.
 */
export class FakeChain implements Chain, Heads {
  readonly ledger: FakeLedger = new FakeLedger();
  /** Every raw transaction that reached `send`, in order. */
  readonly sent: string[] = [];
  /** Data whose call throws when simulated, and why. */
  readonly refusals = new Map<string, Revert>();
  automine = false;
  tipWei = 1_000_000_000n;
  /** Without EIP-1559: one gas price, type-0 transactions. */
  isLegacy = false;
  /** What the wallet has. Every transaction alone has to fit in; nothing is taken away. */
  balance = 10n ** 20n;
  /** Below this the pool takes nothing, whatever a block would. */
  floorWei = 0n;
  /** Refuses a nonce whose predecessor it does not have, in place of keeping it for later. */
  refusesGaps = false;
  /** Most transactions in the pool of a wallet that delegates. */
  inFlightLimit = 1;
  /** Receipts exist only this many looks after their block. */
  receiptLag = 0;
  /** The next `reads` answers are those of a node that is `blocks` blocks behind. */
  stale: { readonly reads: number; readonly blocks: number } = { reads: 0, blocks: 0 };
  /** Answers in place of the node; `undefined` lets the node answer. The node has the bytes only if it is asked. */
  intercept: (tx: FakeTx, node: () => SendOutcome) => SendOutcome | undefined = () => undefined;
  readonly #looks = new Map<string, number>();
  readonly #listeners = new Set<(head: Head) => void>();
  #announced: FakeBlock = this.ledger.head;

  // --- What a test does to it -------------------------------------------------

  get pool(): Map<number, FakeTx> {
    return this.ledger.pool;
  }

  /** Transactions in mined order. */
  get mined(): readonly FakeTx[] {
    return this.ledger.mined.map(({ tx }) => tx);
  }

  get reverts(): Map<string, Revert> {
    return this.ledger.reverts;
  }

  get baseFeeWei(): bigint {
    return this.ledger.baseFeeWei;
  }

  set baseFeeWei(wei: bigint) {
    this.ledger.baseFeeWei = wei;
  }

  /** The wallet's next nonce on the chain as it is. */
  get nonce(): number {
    return this.ledger.head.nonceAfter;
  }

  /** One block of everything that can be mined at the present base fee; then `count - 1` more. */
  mine(count = 1): void {
    for (let block = 0; block < count; block += 1) {
      this.ledger.mine();
      this.announce();
    }
  }

  /** Somebody else sends `count` transactions with our key, and they are mined. */
  useKeyElsewhere(count = 1): void {
    this.ledger.mineForeign(count, this.#fees());
    this.announce();
  }

  /** The wallet delegates to `contract` from now on. */
  delegate(contract: string | undefined): void {
    this.ledger.delegate(contract);
    this.announce();
  }

  reorg(depth: number, options?: ReorgOptions): void {
    this.ledger.reorg(depth, options);
    this.announce();
  }

  /** The pool forgets a transaction; whether it had it. */
  drop(nonce: number): boolean {
    return this.pool.delete(nonce);
  }

  /** Tells of a block as the newest one: an older one is what a node that is behind would tell. */
  announce(block: FakeBlock = this.ledger.head): void {
    this.#announced = block;
    for (const listener of this.#listeners) listener(block);
  }

  /** How often each call data took effect. */
  effects(): Record<string, number> {
    return this.ledger.effects();
  }

  // --- Chain ------------------------------------------------------------------

  async send(raw: string): Promise<SendOutcome> {
    this.sent.push(raw);
    const tx = parseTx(raw);
    const answer = this.intercept(tx, () => this.#receive(tx)) ?? this.#receive(tx);
    if (this.automine) this.mine();
    return answer;
  }

  #receive(tx: FakeTx): SendOutcome {
    const rival = this.pool.get(tx.nonce);
    if (tx.nonce < this.nonce) return { kind: "nonce_too_low" };
    if (rival?.hash === tx.hash) return { kind: "accepted" };
    const refusal = this.#refusal(tx, rival);
    if (refusal === undefined) this.pool.set(tx.nonce, tx);
    return refusal ?? { kind: "accepted" };
  }

  #refusal(tx: FakeTx, rival: FakeTx | undefined): SendOutcome | undefined {
    const { maxFeePerGasWei } = tx.fees;
    if (tx.gasLimit < INTRINSIC_GAS) return { kind: "never_valid", message: "intrinsic gas too low" };
    if (tx.gasLimit > this.ledger.blockGasLimit) {
      return { kind: "never_valid", message: "exceeds block gas limit" };
    }
    if (maxFeePerGasWei < this.floorWei) return { kind: "underpriced", message: "transaction underpriced" };
    if (tx.gasLimit * maxFeePerGasWei > this.balance) {
      return { kind: "insufficient_funds", message: "insufficient funds for gas * price + value" };
    }
    if (rival !== undefined) return outbids(tx.fees, rival.fees) ? undefined : UNDERPRICED_REPLACEMENT;
    return this.#crowdRefusal(tx);
  }

  #crowdRefusal({ nonce }: FakeTx): SendOutcome | undefined {
    const isDelegating = [...this.pool.values()].some(({ authorization }) => authorization !== undefined);
    const isDelegated = this.ledger.head.delegateAfter !== undefined || isDelegating;
    const next = this.#pendingFrom(this.nonce);
    // As geth does it: what waits for an earlier nonce does not count, and nothing may be added to it.
    if (isDelegated && next - this.nonce >= this.inFlightLimit) {
      return {
        kind: "in_flight_limit",
        message: "in-flight transaction limit reached for delegated accounts",
      };
    }
    const isGapped = nonce > next;
    if (isGapped && isDelegated) {
      return { kind: "in_flight_limit", message: "gapped-nonce tx from delegated accounts" };
    }
    return isGapped && this.refusesGaps ? { kind: "nonce_too_high", message: "nonce too high" } : undefined;
  }

  async estimateGas(request: CallRequest): Promise<bigint> {
    const revert = this.refusals.get(request.data);
    if (revert !== undefined) throw new CallReverted(revert);
    if (request.to !== WALLET) return CALL_GAS;
    const calls = callsIn(request.data, "execute");
    if (calls !== undefined) return CALL_GAS * BigInt(calls.length) + INTRINSIC_GAS;
    return this.ledger.head.delegateAfter === undefined ? INTRINSIC_GAS : DELEGATED_NOOP_GAS;
  }

  async call(request: CallRequest): Promise<string> {
    const calls = callsIn(request.data, "simulate");
    if (calls !== undefined && request.to === WALLET) {
      if (this.ledger.head.delegateAfter !== EXECUTOR) return "0x";
      return simulationAnswer(
        calls.map(({ data }) => {
          const revert = this.refusals.get(data);
          return revert === undefined ? { ok: true, gasUsed: CALL_GAS } : { ok: false, revert };
        }),
      );
    }
    const revert = this.reverts.get(request.data) ?? this.refusals.get(request.data);
    if (revert !== undefined) throw new CallReverted(revert);
    return "0x";
  }

  async minedCount(): Promise<number> {
    return this.#view().nonceAfter;
  }

  async pendingCount(): Promise<number> {
    return this.#pendingFrom(this.#view().nonceAfter);
  }

  #pendingFrom(nonce: number): number {
    let next = nonce;
    for (let tx = this.pool.get(next); tx !== undefined; tx = this.pool.get(next)) {
      next += tx.authorization === undefined ? 1 : 2;
    }
    return next;
  }

  async receipt(txHash: string): Promise<MinedReceipt | undefined> {
    const { number } = this.#view();
    const found = this.#find(txHash);
    if (found === undefined || found.receipt.blockNumber > number) return undefined;
    const looks = (this.#looks.get(txHash) ?? 0) + 1;
    this.#looks.set(txHash, looks);
    return looks > this.receiptLag ? found.receipt : undefined;
  }

  #find(txHash: string): FakeMined | undefined {
    return this.ledger.mined.find(({ tx }) => tx.hash === txHash);
  }

  async block(which: number | "latest"): Promise<Block | undefined> {
    const view = this.#view();
    if (which === "latest") return view;
    return which > view.number ? undefined : this.ledger.blocks[which];
  }

  async feeMarket(): Promise<FeeMarket> {
    if (this.isLegacy) return { kind: "legacy", gasPriceWei: this.baseFeeWei + this.tipWei };
    return { kind: "dynamic", baseFeePerGasWei: this.baseFeeWei, tipWei: this.tipWei };
  }

  async chainId(): Promise<bigint> {
    return 31_337n;
  }

  async code(address: string): Promise<string> {
    return address === WALLET ? delegationCode(this.#view().delegateAfter) : "0x60";
  }

  async logs(): Promise<readonly never[]> {
    return [];
  }

  async balanceWei(): Promise<bigint> {
    return this.balance;
  }

  /** The newest block of the node that answers this read. */
  #view(): FakeBlock {
    const { head, blocks } = this.ledger;
    const { reads, blocks: behind } = this.stale;
    if (reads === 0) return head;
    this.stale = { reads: reads - 1, blocks: behind };
    return blocks[Math.max(0, head.number - behind)] ?? head;
  }

  #fees(): Fees {
    return { maxFeePerGasWei: this.baseFeeWei * 2n + this.tipWei, maxPriorityFeePerGasWei: this.tipWei };
  }

  // --- Heads ------------------------------------------------------------------

  latest(): Head {
    return this.#announced;
  }

  onHead(listener: (head: Head) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}

const UNDERPRICED_REPLACEMENT: SendOutcome = {
  kind: "replacement_underpriced",
  message: "replacement transaction underpriced",
};

function outbids(fees: Fees, rival: Fees): boolean {
  return (
    fees.maxFeePerGasWei * 10n >= rival.maxFeePerGasWei * 11n &&
    fees.maxPriorityFeePerGasWei * 10n >= rival.maxPriorityFeePerGasWei * 11n
  );
}
