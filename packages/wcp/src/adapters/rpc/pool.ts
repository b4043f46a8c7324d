import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import type { SendOutcome } from "../../chain-ports.ts";
import { StoppedError } from "../../ports.ts";
import { Endpoint, type EndpointStatus } from "./endpoint.ts";
import { type JsonRpcDeps, SEND } from "./json-rpc.ts";
import { errorText } from "./revert-data.ts";
import { Round } from "./round.ts";
import type { Ask, Rpc } from "./rpc.ts";
import { RpcError, RpcUnavailable } from "./rpc-error.ts";
import { classifySendError } from "./send-errors.ts";
import { mergeSendOutcomes } from "./send-merge.ts";
import { mostRounds, temporaryKind } from "./temporary-errors.ts";

export interface RpcPoolOptions {
  /** In the operator's order, which is the order of preference. */
  readonly urls: readonly string[];
  /** The chain that they must serve. */
  readonly chainId: bigint;
  readonly timeoutMs: number;
  /** Most calls in one HTTP request. */
  readonly batchSize: number;
  /** After the first endpoint's word on a transaction, the others have this long for theirs. Default 1000. */
  readonly sendGraceMs?: number;
}

export interface RpcPoolDeps extends JsonRpcDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Slower than the fastest by more than this: asked after the others. */
const SLOW_BY_MS = 1_000;

/**
 * Several endpoints of one chain, seen as one. Reads go to the first that is well and up to date, and on
 * to the next when it fails; transactions go to all that are well. With a single endpoint nothing is asked
 * besides its chain id, at first use and after it was down.
 */
export class RpcPool implements Rpc {
  readonly #options: RpcPoolOptions;
  readonly #deps: RpcPoolDeps;
  readonly #endpoints: readonly Endpoint[];
  /** Newest block that a websocket has pushed which is none of the endpoints'. */
  #pushedBlock = 0;

  constructor(options: RpcPoolOptions, deps: RpcPoolDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#endpoints = options.urls.map((url) => new Endpoint({ ...options, url }, deps));
  }

  /** Why no endpoint answers at present; `undefined` while one does. */
  get failure(): string | undefined {
    const reasons = this.#endpoints.map(({ failure }) => failure);
    return reasons.includes(undefined) ? undefined : reasons.join("; ");
  }

  /** How each endpoint does, in the operator's order. */
  status(): readonly EndpointStatus[] {
    return this.#endpoints.map((endpoint) => endpoint.status());
  }

  /** Asks every endpoint for its chain and its newest block, also those that are not used at present. */
  async examine(): Promise<readonly EndpointStatus[]> {
    await Promise.all(
      this.#endpoints.map(async (endpoint) => {
        if (!(await endpoint.check())) return;
        try {
          await endpoint.look();
        } catch (error) {
          // What an endpoint does wrong is in its status.
          if (error instanceof StoppedError) throw error;
        }
      }),
    );
    return this.status();
  }

  newestBlock(): number {
    return Math.max(this.#pushedBlock, ...this.#endpoints.map(({ block }) => block));
  }

  pushed(wsUrl: string, block: number): void {
    const owner = this.#ownerOf(new URL(wsUrl));
    if (owner === undefined) this.#pushedBlock = block;
    else owner.saw(block);
  }

  /** The endpoint at the same host and port, or the only one at that host: geth has a port for each protocol. */
  #ownerOf({ host, hostname }: URL): Endpoint | undefined {
    const neighbours = this.#endpoints.filter((endpoint) => endpoint.address.hostname === hostname);
    const exact = neighbours.find((endpoint) => endpoint.address.host === host);
    return exact ?? (neighbours.length === 1 ? neighbours[0] : undefined);
  }

  async call<T>(ask: Ask<T>): Promise<T> {
    const { clock, signal } = this.#deps;
    const backoff = createBackoff({ initialMs: 100, maxMs: 10_000 });
    for (let rounds = 1; ; rounds += 1) {
      this.#throwIfStopped();
      await this.#prepare();
      const unknown = this.#unknownEverywhere(ask.method);
      if (unknown !== undefined) throw unknown;
      const outcome = await new Round(ask, {
        candidates: () => this.#candidates(ask.method),
        newestBlock: () => this.newestBlock(),
        nowMs: () => clock.monotonicMs(),
      }).run();
      if (outcome.kind === "answered") return outcome.value;
      if (outcome.kind === "refused") throw outcome.error;
      // A block that nobody has after a while was undone; whoever asks has to look at the head again.
      if (outcome.error instanceof RpcError && rounds >= mostRounds(outcome.error)) throw outcome.error;
      await clock.sleep(Math.max(backoff.nextMs(), this.#waitMs()), signal);
    }
  }

  async chainId(): Promise<bigint> {
    const { clock, signal } = this.#deps;
    const backoff = createBackoff({ initialMs: 100, maxMs: 10_000 });
    for (;;) {
      this.#throwIfStopped();
      const known = await this.#knownChain();
      if (known !== undefined) return known;
      await clock.sleep(Math.max(backoff.nextMs(), this.#waitMs()), signal);
    }
  }

  /**
   * As {@link chainId}, in one try, and over the wire.
   *
   * @throws {RpcUnavailable} when no endpoint answers
   * @throws {StoppedError}
   */
  async probe(): Promise<bigint> {
    this.#throwIfStopped();
    const [first] = this.#candidates();
    await (first === undefined ? this.#checkAll() : first.check());
    this.#throwIfStopped();
    const known = await this.#knownChain();
    if (known !== undefined) return known;
    throw new RpcUnavailable(
      this.failure ??
        this.status()
          .map(({ reason }) => reason)
          .join("; "),
    );
  }

  async send(raw: string): Promise<SendOutcome> {
    this.#throwIfStopped();
    await this.#prepare();
    const outcome = await this.#collect(this.#targets().map((endpoint) => this.#sendTo(endpoint, raw)));
    if (outcome !== undefined) return outcome;
    const reasons = this.status().map(({ host, reason }) => reason ?? `${host} is not to be used now`);
    return { kind: "unknown", message: `not sent: ${reasons.join("; ")}` };
  }

  /**
   * The first acceptance, or what the answers come to; with the last of them, or a while after the first.
   * `undefined` when nothing was sent.
   */
  async #collect(sendings: readonly Promise<SendOutcome | undefined>[]): Promise<SendOutcome | undefined> {
    if (sendings.length === 0) return undefined;
    const { promise, resolve, reject } = Promise.withResolvers<SendOutcome | undefined>();
    const outcomes: SendOutcome[] = [];
    const graceMs = this.#options.sendGraceMs ?? 1_000;
    const late: SendOutcome = { kind: "unknown", message: "an endpoint has not answered yet" };
    let waiting = sendings.length;
    let grace: Disposable | undefined;
    const take = (outcome: SendOutcome | undefined): void => {
      waiting -= 1;
      if (outcome !== undefined) outcomes.push(outcome);
      if (outcome?.kind === "accepted" || waiting === 0) {
        resolve(outcomes.length === 0 ? undefined : mergeSendOutcomes(outcomes));
        return;
      }
      grace ??= this.#deps.clock.timer(graceMs, () => resolve(mergeSendOutcomes([...outcomes, late])));
    };
    for (const sending of sendings) sending.then(take, reject);
    try {
      return await promise;
    } finally {
      grace?.[Symbol.dispose]();
    }
  }

  /** `undefined` when it was not sent, since this is not the chain for it. */
  async #sendTo(endpoint: Endpoint, raw: string): Promise<SendOutcome | undefined> {
    if (!endpoint.isRightChain && !(await endpoint.check())) return undefined;
    const askedAtMs = this.#deps.clock.monotonicMs();
    try {
      await endpoint.ask(SEND, [raw], (hash) => hash);
      return { kind: "accepted" };
    } catch (error) {
      // A timeout or reset after the request was written says nothing about the transaction.
      if (error instanceof RpcUnavailable) return { kind: "unknown", message: error.message };
      if (!(error instanceof RpcError)) throw error;
      const outcome = classifySendError(errorText(error));
      if (outcome.kind !== "unknown") return outcome;
      if (temporaryKind(error) === "limit") endpoint.limitsRate(error, askedAtMs);
      return outcome;
    }
  }

  /** Those that are well or new; where nobody is, all that have not asked to be left alone. */
  #targets(): readonly Endpoint[] {
    const well = this.#endpoints.filter((endpoint) => endpoint.isUsable || endpoint.isNew);
    if (well.length > 0) return well;
    return this.#endpoints.filter(
      ({ wrongChainId, isToldToWait }) => wrongChainId === undefined && !isToldToWait,
    );
  }

  #candidates(method?: string): readonly Endpoint[] {
    const well = this.#endpoints.filter(
      (endpoint) => endpoint.isUsable && (method === undefined || endpoint.lackOf(method) === undefined),
    );
    if (well.length < 2) return well;
    const fastestMs = Math.min(...well.map(({ latencyMs = 0 }) => latencyMs));
    const isSlow = ({ latencyMs = 0 }: Endpoint) => latencyMs > fastestMs + SLOW_BY_MS;
    return [...well.filter((endpoint) => !isSlow(endpoint)), ...well.filter(isSlow)];
  }

  /** Looks after endpoints that are new or were down; waits for one only when there is none to use. */
  async #prepare(): Promise<void> {
    if (this.#endpoints.every(({ isUsable }) => isUsable)) return;
    const checks = this.#endpoints
      .filter((endpoint) => !endpoint.isUsable && endpoint.waitMs === 0)
      .map((endpoint) => endpoint.check());
    if (checks.length === 0 || this.#candidates().length > 0) return;
    // `any` rejects when all are false, which the caller sees for itself.
    await Promise.any(checks.map(async (check) => (await check) || Promise.reject(new Error()))).catch(
      () => undefined,
    );
    this.#throwIfStopped();
  }

  async #checkAll(): Promise<void> {
    await Promise.all(
      this.#endpoints.filter((endpoint) => endpoint.waitMs === 0).map((endpoint) => endpoint.check()),
    );
  }

  /** The right chain as soon as one endpoint serves it; another only when all serve another. */
  async #knownChain(): Promise<bigint | undefined> {
    await this.#prepare();
    if (this.#endpoints.some(({ isRightChain }) => isRightChain)) return this.#options.chainId;
    const wrong = this.#endpoints.map(({ wrongChainId }) => wrongChainId);
    return wrong.includes(undefined) ? undefined : wrong[0];
  }

  #unknownEverywhere(method: string): RpcError | undefined {
    let lack: RpcError | undefined;
    for (const endpoint of this.#endpoints) {
      if (endpoint.wrongChainId !== undefined) continue;
      const found = endpoint.lackOf(method);
      if (found === undefined) return undefined;
      lack ??= found;
    }
    return lack;
  }

  /** Until some endpoint may be asked again. */
  #waitMs(): number {
    return Math.min(...this.#endpoints.map(({ waitMs }) => waitMs));
  }

  #throwIfStopped(): void {
    if (this.#deps.signal.aborted) throw new StoppedError();
  }
}
