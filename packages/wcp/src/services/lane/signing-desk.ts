import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import type { Fees } from "../../domain/fees.ts";
import type { Attempt } from "../../domain/transaction.ts";
import type { Signer } from "../../chain-ports.ts";
import { StoppedError } from "../../ports.ts";

/** What is to be signed, without nonce and fees. */
export interface Draft {
  readonly to: string;
  readonly data: string;
  readonly gasLimit: bigint;
  /** Contract that the wallet is to delegate to. */
  readonly delegateTo?: string;
  readonly isNoop: boolean;
}

export interface SigningDeskDeps {
  readonly signer: Signer;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Hands out nonces, one signature at a time: a nonce is taken only by a signature
 * that succeeded, so no hole is left behind.
 */
export class SigningDesk {
  readonly #deps: SigningDeskDeps;
  #nextNonce = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: SigningDeskDeps) {
    this.#deps = deps;
  }

  get nextNonce(): number {
    return this.#nextNonce;
  }

  /** The chain, or the database, knows of nonces up to here: no lower one is handed out. */
  raise(nonce: number): void {
    this.#nextNonce = Math.max(this.#nextNonce, nonce);
  }

  /**
   * Signs with the next nonce; tries until there is a signature. `store` is called in the turn
   * in which the nonce is taken. Rejects with StoppedError.
   */
  async signNext<T>(
    draft: Draft,
    {
      fees,
      store,
      signal,
    }: {
      readonly fees: () => Promise<Fees>;
      readonly store: (signed: { readonly nonce: number; readonly attempt: Attempt }) => Promise<T>;
      readonly signal: AbortSignal;
    },
  ): Promise<T> {
    const backoff = createBackoff({ initialMs: 500, maxMs: 30_000 });
    for (;;) {
      if (signal.aborted) throw new StoppedError();
      const terms = await this.#attempt(fees, "the chain does not say what it asks for; trying again");
      const signed =
        terms && (await this.#attempt(() => this.#exclusively(() => this.#take(draft, terms, store))));
      if (signed !== undefined) return signed.stored;
      await this.#deps.clock.sleep(backoff.nextMs(), signal);
    }
  }

  /** Signs with a nonce that is ours already; `undefined`, and a line in the log, when that fails. */
  signAt(nonce: number, draft: Draft, fees: Fees): Promise<Attempt | undefined> {
    return this.#attempt(() => this.#sign(nonce, draft, fees));
  }

  /** The transaction of an attempt on other terms; `undefined`, and a line in the log, when that fails. */
  resign(
    last: Attempt,
    terms: { readonly fees: Fees; readonly gasLimit: bigint },
  ): Promise<Attempt | undefined> {
    return this.#attempt(async () => {
      const { raw, txHash } = await this.#deps.signer.resign(last.raw, terms);
      const { isLegacy: _, ...fees } = terms.fees;
      return {
        ...last,
        raw,
        txHash,
        ...fees,
        gasLimit: terms.gasLimit,
        signedAtMs: this.#deps.clock.nowMs(),
      };
    });
  }

  async #take<T>(
    draft: Draft,
    fees: Fees,
    store: (signed: { readonly nonce: number; readonly attempt: Attempt }) => Promise<T>,
  ): Promise<{ readonly stored: Promise<T> }> {
    const nonce = this.#nextNonce;
    const attempt = await this.#sign(nonce, draft, fees);
    this.#nextNonce = Math.max(this.#nextNonce, nonce + 1);
    return { stored: store({ nonce, attempt }) };
  }

  async #sign(
    nonce: number,
    { to, data, gasLimit, delegateTo, isNoop }: Draft,
    fees: Fees,
  ): Promise<Attempt> {
    const { signer, clock } = this.#deps;
    const authorization =
      delegateTo === undefined
        ? {}
        : { authorization: await signer.authorize({ contract: delegateTo, nonce: nonce + 1 }) };
    const { raw, txHash } = await signer.sign({ nonce, to, data, gasLimit, fees, ...authorization });
    const { maxFeePerGasWei, maxPriorityFeePerGasWei } = fees;
    return {
      raw,
      txHash,
      isNoop,
      gasLimit,
      maxFeePerGasWei,
      maxPriorityFeePerGasWei,
      signedAtMs: clock.nowMs(),
    };
  }

  async #attempt<T>(
    work: () => Promise<T>,
    problem = "a transaction could not be signed; trying again",
  ): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      this.#deps.logger.error({ err: error }, problem);
      return undefined;
    }
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined); // the caller of this very call gets the rejection
    return result;
  }
}
