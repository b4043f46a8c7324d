import type { Clock } from "@subnet-worker/kit";
import { WebSocket } from "ws";
import type { Head } from "../../chain-ports.ts";
import { isFields, isQuantity, readHead } from "./wire.ts";

export interface HeadSocketOptions {
  readonly url: string;
  /** The chain it must serve. */
  readonly chainId: bigint;
  /** Between pings; a peer that is silent from one to the next is gone. Also the longest wait for the subscription. */
  readonly pingIntervalMs: number;
}

export interface HeadSocketDeps {
  readonly clock: Clock;
  readonly onHead: (head: Head) => void;
}

/** Heads are small; nothing else is expected. */
const MAX_MESSAGE_BYTES = 1 << 20;
const CHAIN_ID = 1;
const SUBSCRIBE = 2;

interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
  readonly params?: unknown;
}

/**
 * One websocket that is subscribed to new heads. It asks for the chain id first, and subscribes only on the
 * right chain. A peer that went without a word is noticed by pings, and its socket destroyed.
 */
export class HeadSocket implements Disposable {
  /** Resolves with the reason when the socket is gone. */
  readonly closed: Promise<string>;
  readonly #options: HeadSocketOptions;
  readonly #deps: HeadSocketDeps;
  readonly #socket: WebSocket;
  readonly #close: (reason: string) => void;
  #isLive = false;
  #hasHeard = false;
  #ping: Disposable;
  /** Set when it serves another chain. */
  wrongChainId: bigint | undefined;

  constructor(options: HeadSocketOptions, deps: HeadSocketDeps) {
    this.#options = options;
    this.#deps = deps;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.closed = promise;
    this.#close = resolve;
    this.#socket = new WebSocket(options.url, { perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES });
    this.#ping = this.#schedulePing();
    this.#socket
      .on("open", () => this.#request(CHAIN_ID, "eth_chainId", []))
      .on("message", (data: Buffer) => this.#receive(String(data)))
      .on("pong", () => this.#hear())
      // An error is always followed by a close, which knows less.
      .on("error", (error) => this.#end(error.message))
      .on("close", () => this.#end("closed by the endpoint"));
  }

  /** The endpoint has confirmed the subscription. */
  get isLive(): boolean {
    return this.#isLive;
  }

  /** Destroys the socket at once: a peer that is gone would never answer a close. */
  drop(reason: string): void {
    this.#end(reason);
  }

  [Symbol.dispose](): void {
    this.#end("stopped");
  }

  #end(reason: string): void {
    this.#isLive = false;
    this.#ping[Symbol.dispose]();
    this.#close(reason);
    this.#socket.terminate();
  }

  #schedulePing(): Disposable {
    return this.#deps.clock.timer(this.#options.pingIntervalMs, () => {
      if (!this.#isLive) return this.#end("no subscription in time");
      if (!this.#hasHeard) return this.#end("silent");
      this.#hasHeard = false;
      this.#socket.ping();
      this.#ping = this.#schedulePing();
    });
  }

  #hear(): void {
    this.#hasHeard = true;
  }

  #request(id: number, method: string, params: readonly unknown[]): void {
    this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  }

  #receive(text: string): void {
    this.#hear();
    const message = parseMessage(text);
    if (message === undefined) return;
    if (message.method === "eth_subscription") this.#push(message.params);
    else if (message.id === CHAIN_ID) this.#learnChain(message);
    else if (message.id === SUBSCRIBE) this.#learnSubscription(message);
  }

  #push(params: unknown): void {
    const head = isFields(params) ? readHead(params["result"]) : undefined;
    if (head !== undefined && this.#isLive) this.#deps.onHead(head);
  }

  #learnChain({ result }: Message): void {
    if (!isQuantity(result)) return this.#end("it does not tell its chain id");
    const chainId = BigInt(result);
    if (chainId === this.#options.chainId) return this.#request(SUBSCRIBE, "eth_subscribe", ["newHeads"]);
    this.wrongChainId = chainId;
    this.#end(`it serves chain ${chainId}`);
  }

  #learnSubscription({ error }: Message): void {
    if (error !== undefined) return this.#end("it refuses the subscription to new heads");
    this.#isLive = true;
  }
}

function parseMessage(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined; // not for us; when no head follows, polling takes over
  }
}
