import { EXIT, StartupError } from "@subnet-worker/kit";
import { StoreInspector } from "../adapters/sqlite/inspect.ts";
import { StoreError } from "../adapters/sqlite/store-error.ts";
import type { Config } from "../config.ts";
import { bumpedFees, type Fees, initialFees } from "../domain/fees.ts";
import type { SignedTransaction } from "../chain-ports.ts";
import { lockWallet, openKey } from "../open.ts";
import { createLocalSigner } from "../adapters/signer.ts";
import {
  CallReverted,
  type Chain,
  type MinedReceipt,
  type SendOutcome,
  type Signer,
} from "../chain-ports.ts";
import { durationOption, type Invocation } from "./command.ts";
import { directChain, directEndpoints } from "./direct-rpc.ts";
import { formatAge, formatCoins, formatFields, formatGwei } from "./table.ts";

/** What a command needs to send a transaction of the wallet by itself. */
export interface Sender extends Disposable {
  readonly chain: Chain;
  readonly signer: Signer;
  /** Sends it, waits for its block, and says what it cost. @throws {StartupError} when it came to nothing */
  send(plan: SendPlan): Promise<MinedReceipt>;
}

export interface SendPlan {
  /** For messages: `registerWorker`. */
  readonly what: string;
  readonly to: string;
  readonly data: string;
  /** Instead of an estimate. */
  readonly gasLimit?: bigint;
  /** Contract to delegate to with the same transaction; the zero address takes a delegation back. */
  readonly delegateTo?: string;
}

/** A chain that is not the configured one must never get a signature. */
async function refuseOtherChain(chain: Chain, config: Config): Promise<void> {
  const actual = await chain.chainId();
  if (actual !== BigInt(config.ethereum.chain_id)) {
    throw new StartupError(
      EXIT.badConfig,
      `ethereum.rpc_url serves chain ${actual}, but ethereum.chain_id is ${config.ethereum.chain_id}; point rpc_url at the right network or correct chain_id`,
    );
  }
}

/**
 * Takes the wallet for one transaction: holds its lock, so the node cannot run meanwhile.
 *
 * @throws {StartupError} exit code 75 while the node runs, 78 for a key or an endpoint that cannot be used
 */
export async function openSender(invocation: Invocation, config: Config): Promise<Sender> {
  using stack = new DisposableStack();
  const { io, signal } = invocation;
  const waitMs = durationOption(invocation, "wait", "5m");
  const { address, privateKey } = await openKey(config);
  stack.use(lockWallet(config, address, io));
  refuseUnfinished(config);
  const signer = createLocalSigner(privateKey, BigInt(config.ethereum.chain_id));
  const chain = directChain(directEndpoints(config, { clock: io.clock, signal }));
  await reachable(() => refuseOtherChain(chain, config));
  const owned = stack.move();
  return {
    chain,
    signer,
    send: (plan) => new OneTransaction({ invocation, config, chain, signer, waitMs }, plan).run(),
    [Symbol.dispose]: () => owned.dispose(),
  };
}

/** A nonce of ours would collide with what the node still has to bring to an end. */
function refuseUnfinished(config: Config): void {
  let inspector: StoreInspector;
  try {
    inspector = new StoreInspector(config.db.path);
  } catch (error) {
    if (error instanceof StoreError && error.code === "CANNOT_OPEN") return; // no database yet: nothing is under way
    throw error;
  }
  using opened = inspector;
  const signed = opened.transactions(false).filter(({ state }) => state === "signed");
  if (signed.length === 0) return;
  throw new StartupError(
    EXIT.tryLater,
    `the node has ${signed.length} transactions under way, from nonce ${signed[0]?.nonce}; start it (wcp run), wait until wcp tx ls shows none signed, stop it, and try again`,
  );
}

/** Runs a read; a dead endpoint ends the command with what to check. */
export async function reachable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof StartupError || error instanceof CallReverted) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(
      EXIT.tryLater,
      `no RPC endpoint answers (${reason}); check ethereum.rpc_url, or run wcp doctor`,
      { cause: error },
    );
  }
}

const POLL_MS = 500;

interface Means {
  readonly invocation: Invocation;
  readonly config: Config;
  readonly chain: Chain;
  readonly signer: Signer;
  readonly waitMs: number;
}

interface Priced {
  readonly nonce: number;
  readonly gasLimit: bigint;
  readonly fees: Fees;
}

/** One transaction from its simulation to its receipt. Not the lane: nothing is kept, and nothing else is under way. */
class OneTransaction {
  readonly #means: Means;
  readonly #plan: SendPlan;

  constructor(means: Means, plan: SendPlan) {
    this.#means = means;
    this.#plan = plan;
  }

  async run(): Promise<MinedReceipt> {
    const { io } = this.#means.invocation;
    await this.#simulate();
    const priced = await reachable(() => this.#price());
    await this.#refusePoor(priced);
    const first = await this.#sign(priced);
    io.out(
      `${this.#plan.what}: sending ${first.txHash} (nonce ${priced.nonce}, up to ${formatGwei(priced.fees.maxFeePerGasWei)} gwei per gas)\n`,
    );
    const receipt = await this.#sendUntilMined(first, priced);
    io.out(this.#report(receipt));
    if (!receipt.succeeded) {
      throw new StartupError(
        EXIT.fault,
        `${this.#plan.what} was mined and reverted, although it would have succeeded just before; something else changed the contract's state. Look, and try again`,
      );
    }
    return receipt;
  }

  /** So that a refusal costs nothing. A delegation changes before its call is made, which no eth_call shows. */
  async #simulate(): Promise<void> {
    const { chain, signer } = this.#means;
    const { to, data, what, delegateTo } = this.#plan;
    if (delegateTo !== undefined) return;
    try {
      await reachable(() => chain.call({ from: signer.address, to, data }));
    } catch (error) {
      if (!(error instanceof CallReverted)) throw error;
      throw new StartupError(EXIT.fault, `${what} would fail, so nothing was sent: ${error.revert.message}`);
    }
  }

  async #price(): Promise<Priced> {
    const { chain, signer, config } = this.#means;
    const { to, data, gasLimit } = this.#plan;
    const [nonce, pending, market, estimate] = await Promise.all([
      chain.minedCount(signer.address),
      chain.pendingCount(signer.address),
      chain.feeMarket(),
      gasLimit ?? chain.estimateGas({ from: signer.address, to, data }),
    ]);
    if (pending > nonce) {
      throw new StartupError(
        EXIT.tryLater,
        `${pending - nonce} transactions of ${signer.address} wait to be mined, from nonce ${nonce}; wait for them, or see docs/runbooks/stuck-nonce.md`,
      );
    }
    const margin = BigInt(100 + config.tx_policy.gas_margin_percent);
    return {
      nonce,
      gasLimit: gasLimit ?? (estimate * margin) / 100n,
      fees: capped(initialFees(market), config),
    };
  }

  async #refusePoor({ gasLimit, fees }: Priced): Promise<void> {
    const { chain, signer } = this.#means;
    const needed = gasLimit * fees.maxFeePerGasWei;
    const balance = await reachable(() => chain.balanceWei(signer.address));
    if (balance >= needed) return;
    throw new StartupError(
      EXIT.fault,
      `${signer.address} has ${formatCoins(balance)} and this may cost up to ${formatCoins(needed)}; send it at least ${formatCoins(needed - balance)} more`,
    );
  }

  async #sign({ nonce, gasLimit, fees }: Priced): Promise<SignedTransaction> {
    const { signer } = this.#means;
    const { to, data, delegateTo } = this.#plan;
    if (delegateTo === undefined) return signer.sign({ nonce, to, data, gasLimit, fees });
    // The wallet's own nonce is raised before its authorization is looked at.
    const authorization = await signer.authorize({ contract: delegateTo, nonce: nonce + 1 });
    return signer.sign({ nonce, to, data, gasLimit, fees, authorization });
  }

  async #sendUntilMined(first: SignedTransaction, priced: Priced): Promise<MinedReceipt> {
    const { chain, config, waitMs, invocation } = this.#means;
    const { clock } = invocation.io;
    const { resend_after: resendMs, bump_after: bumpMs, gas_bump_percent: percent } = config.tx_policy;
    const attempts = [first];
    let { fees } = priced;
    const startMs = clock.monotonicMs();
    let sentAtMs = startMs;
    let signedAtMs = startMs;
    this.#judge(await chain.send(first.raw), attempts);
    for (;;) {
      const receipt = await this.#receiptOf(attempts);
      if (receipt !== undefined) return receipt;
      const nowMs = clock.monotonicMs();
      if (nowMs - startMs >= waitMs || invocation.signal.aborted) throw this.#notMined(attempts);
      if (nowMs - signedAtMs >= bumpMs) {
        fees = capped(bumpedFees(fees, await reachable(() => chain.feeMarket()), percent), config);
        attempts.push(await this.#sign({ ...priced, fees }));
        signedAtMs = nowMs;
        sentAtMs = nowMs - resendMs;
      }
      if (nowMs - sentAtMs >= resendMs) {
        await chain.send(attempts.at(-1)?.raw ?? first.raw);
        sentAtMs = nowMs;
      }
      await clock.sleep(POLL_MS, invocation.signal);
    }
  }

  /** Any of them may be the one that is mined. An endpoint that does not answer now may in a moment. */
  async #receiptOf(attempts: readonly SignedTransaction[]): Promise<MinedReceipt | undefined> {
    for (const { txHash } of attempts) {
      const receipt = await this.#means.chain.receipt(txHash).catch(() => undefined);
      if (receipt !== undefined) return receipt;
    }
    return undefined;
  }

  /** What the first sending says for good; everything else is sent again. */
  #judge(outcome: SendOutcome, attempts: readonly SignedTransaction[]): void {
    if (outcome.kind === "never_valid" || outcome.kind === "insufficient_funds") {
      throw new StartupError(EXIT.fault, `the chain refuses ${attempts[0]?.txHash}: ${outcome.message}`);
    }
  }

  #notMined(attempts: readonly SignedTransaction[]): StartupError {
    const hashes = attempts.map(({ txHash }) => txHash).join(" or ");
    return new StartupError(
      EXIT.tryLater,
      `not mined within ${formatAge(this.#means.waitMs)}, and it may still be: ${hashes}. Look for it in a block explorer before you try again; docs/runbooks/fee-spike.md`,
    );
  }

  #report({ txHash, blockNumber, gasUsed, effectiveGasPriceWei }: MinedReceipt): string {
    return formatFields([
      ["transaction", txHash],
      ["block", String(blockNumber)],
      [
        "cost",
        `${formatCoins(gasUsed * effectiveGasPriceWei)} (${gasUsed} gas at ${formatGwei(effectiveGasPriceWei)} gwei)`,
      ],
    ]);
  }
}

function capped(fees: Fees, { tx_policy }: Config): Fees {
  if (tx_policy.max_fee_gwei === 0) return fees;
  const most = BigInt(tx_policy.max_fee_gwei) * 1_000_000_000n;
  const least = (wei: bigint) => (wei < most ? wei : most);
  return {
    ...fees,
    maxFeePerGasWei: least(fees.maxFeePerGasWei),
    maxPriorityFeePerGasWei: least(fees.maxPriorityFeePerGasWei),
  };
}
