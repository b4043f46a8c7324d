import { StoppedError } from "../../ports.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Ask } from "./rpc.ts";
import { BadAnswer, RpcError, RpcUnavailable } from "./rpc-error.ts";
import { isUnknownMethod, temporaryKind } from "./temporary-errors.ts";

export interface RoundDeps {
  /** Who may be asked now, the preferred first. */
  readonly candidates: () => readonly Endpoint[];
  /** Newest block that anybody has shown. */
  readonly newestBlock: () => number;
  readonly nowMs: () => number;
}

export type RoundOutcome<T> =
  | { readonly kind: "answered"; readonly value: T }
  | { readonly kind: "refused"; readonly error: Error }
  /** Nobody could answer; it may pass. */
  | { readonly kind: "nobody"; readonly error: Error | undefined };

/**
 * One question put to endpoint after endpoint, each at most once, until one answers well enough.
 *
 * An endpoint that is behind the block that is needed is passed over: whoever has not shown that block is
 * asked for its newest first. That costs a call only where there is another endpoint to turn to, and only
 * after a change of endpoints, since the polls for the head keep the one in use up to date. Where
 * everybody is behind, the one that is least so answers.
 */
export class Round<T> {
  readonly #ask: Ask<T>;
  readonly #deps: RoundDeps;
  readonly #tried = new Set<Endpoint>();
  readonly #behind: Endpoint[] = [];
  #second: { readonly value: T; readonly block: number } | undefined;
  #refusal: Error | undefined;
  #error: Error | undefined;

  constructor(ask: Ask<T>, deps: RoundDeps) {
    this.#ask = ask;
    this.#deps = deps;
  }

  /** @throws {StoppedError} */
  async run(): Promise<RoundOutcome<T>> {
    for (let endpoint = this.#next(); endpoint !== undefined; endpoint = this.#next()) {
      this.#tried.add(endpoint);
      if (await this.#isBehind(endpoint)) {
        this.#behind.push(endpoint);
        continue;
      }
      const outcome = await this.#put(endpoint);
      if (outcome !== undefined) return outcome;
    }
    const [least] = this.#behind.toSorted((a, b) => b.block - a.block);
    if (least !== undefined && this.#second === undefined) {
      const outcome = await this.#put(least);
      if (outcome !== undefined) return outcome;
    }
    if (this.#second !== undefined) return { kind: "answered", value: this.#second.value };
    if (this.#refusal !== undefined) return { kind: "refused", error: this.#refusal };
    return { kind: "nobody", error: this.#error };
  }

  #next(): Endpoint | undefined {
    return this.#deps.candidates().find((endpoint) => !this.#tried.has(endpoint));
  }

  async #isBehind(endpoint: Endpoint): Promise<boolean> {
    const { need = "newest", newestBlock } = this.#ask;
    if (need === "any" || newestBlock !== undefined || this.#deps.candidates().length < 2) return false;
    const wanted = need === "newest" ? this.#deps.newestBlock() : need;
    if (wanted <= 0 || endpoint.block >= wanted) return false;
    if (endpoint.isBlockFresh) return true;
    try {
      await endpoint.look();
    } catch (error) {
      this.#note(endpoint, error as Error, this.#deps.nowMs());
    }
    return endpoint.block < wanted;
  }

  /** `undefined` when another endpoint is to be asked. */
  async #put(endpoint: Endpoint): Promise<RoundOutcome<T> | undefined> {
    const { method, params, read, refusal } = this.#ask;
    const askedAtMs = this.#deps.nowMs();
    try {
      return this.#take(endpoint, await endpoint.ask(method, params, read));
    } catch (error) {
      const refused = error instanceof RpcError ? refusal?.(error) : undefined;
      if (refused !== undefined) return { kind: "refused", error: refused };
      this.#note(endpoint, error as Error, askedAtMs);
      return undefined;
    }
  }

  #take(endpoint: Endpoint, value: T): RoundOutcome<T> | undefined {
    const { newestBlock, isEnough } = this.#ask;
    const block = newestBlock?.(value) ?? 0;
    if (newestBlock !== undefined) endpoint.saw(block);
    const isOld = newestBlock !== undefined && block < this.#deps.newestBlock();
    if (!isOld && isEnough?.(value) !== false) return { kind: "answered", value };
    if (this.#second === undefined || block > this.#second.block) this.#second = { value, block };
    return undefined;
  }

  /** What an endpoint's failure means for it and for the question. @throws {StoppedError} and defects */
  #note(endpoint: Endpoint, error: Error, askedAtMs: number): void {
    if (error instanceof StoppedError) throw error;
    this.#error = error;
    if (error instanceof RpcUnavailable || error instanceof BadAnswer) return;
    if (!(error instanceof RpcError)) throw error;
    if (temporaryKind(error) === "limit") {
      endpoint.limitsRate(error, askedAtMs);
    } else if (isUnknownMethod(error)) {
      endpoint.doesNotKnow(this.#ask.method, error);
    } else if (temporaryKind(error) === undefined) {
      this.#refusal ??= error;
    }
  }
}
