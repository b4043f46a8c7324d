import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { distortAnswer, distortCall, type RpcAnswer, type RpcCall, type View } from "./_rpc-view.ts";
import type { Random } from "./_random.ts";

/** How the endpoint behaves until it is told otherwise. */
export interface Weather {
  /** Share of HTTP requests that a fault hits, 0 to 1. */
  readonly faultShare: number;
  /** Answers as a node does that is this many blocks behind. */
  readonly lagBlocks: number;
  /** Answers eth_getTransactionCount as it was this many blocks ago. */
  readonly staleNonceBlocks: number;
  /** Answers eth_getLogs with nothing. */
  readonly emptyLogs: boolean;
  /** Resets every connection. */
  readonly isDown: boolean;
}

export const FAIR: Weather = {
  faultShare: 0,
  lagBlocks: 0,
  staleNonceBlocks: 0,
  emptyLogs: false,
  isDown: false,
};

/** What hits a request before the chain has seen it. */
const FAULTS_BEFORE = ["status_503", "status_429", "reset_before"] as const;
/** What hits its answer: the chain has done what was asked. */
const FAULTS_AFTER = ["status_502_after", "reset_after", "hang_after"] as const;
export type Fault = (typeof FAULTS_BEFORE)[number] | (typeof FAULTS_AFTER)[number];
const FAULTS: readonly Fault[] = [...FAULTS_BEFORE, ...FAULTS_AFTER];

/** Where a request that carries a transaction is: the chain does not have it, has it, or the sender knows too. */
export type SendPhase = "arrived" | "accepted" | "answered";

/** An RPC endpoint that fails in every way that endpoints do. */
export interface FaultyRpc extends AsyncDisposable {
  readonly url: string;
  weather: Weather;
  /** Calls by method, those that a fault hit included. */
  readonly calls: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
  /** Told while the request waits: what it does is done before the request goes on. */
  onSend: (phase: SendPhase) => void;
}

/** Starts one in front of `target`. */
export async function startFaultyRpc(target: string, random: Random): Promise<FaultyRpc> {
  const proxy = new FaultyProxy(target, random);
  const server = createServer((request, response) => {
    proxy.serve(request, response).catch((error: unknown) => {
      // The client was killed in the middle of its request, or anvil is gone: either way nobody waits.
      proxy.count("broken");
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  // A timeout of the server's own would end a connection that is to hang.
  server.requestTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  });
}

class FaultyProxy {
  weather: Weather = FAIR;
  readonly calls = new Map<string, number>();
  readonly faults = new Map<string, number>();
  onSend: (phase: SendPhase) => void = () => {};
  readonly #target: string;
  readonly #random: Random;

  constructor(target: string, random: Random) {
    this.#target = target;
    this.#random = random;
  }

  count(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await text(request)) as RpcCall | readonly RpcCall[];
    const calls = Array.isArray(body) ? (body as readonly RpcCall[]) : [body as RpcCall];
    for (const { method } of calls) this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
    const has = (wanted: string) => calls.some(({ method }) => method === wanted);
    const onSend = has("eth_sendRawTransaction") ? this.onSend : () => {};
    const fault = this.#drawFault();
    onSend("arrived");
    if (this.#spoilBefore(fault, response)) return;
    const answers = await this.#answer(calls);
    if (this.weather.emptyLogs && has("eth_getLogs")) this.count("empty_logs");
    onSend("accepted");
    if (this.#spoilAfter(fault, response)) return;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(Array.isArray(body) ? answers : answers[0]), () => onSend("answered"));
  }

  #drawFault(): Fault | "down" | undefined {
    const { isDown, faultShare } = this.weather;
    const fault = isDown ? "down" : this.#random.chance(faultShare) ? this.#random.pick(FAULTS) : undefined;
    if (fault !== undefined) this.count(fault);
    return fault;
  }

  #spoilBefore(fault: Fault | "down" | undefined, response: ServerResponse): boolean {
    switch (fault) {
      case "down":
      case "reset_before":
        response.destroy();
        return true;
      case "status_503":
        response.writeHead(503).end("upstream is restarting");
        return true;
      case "status_429":
        response.writeHead(429, { "retry-after": "1" }).end("slow down");
        return true;
      default:
        return false;
    }
  }

  #spoilAfter(fault: Fault | "down" | undefined, response: ServerResponse): boolean {
    switch (fault) {
      case "reset_after":
        response.destroy();
        return true;
      case "status_502_after":
        response.writeHead(502).end("bad gateway");
        return true;
      case "hang_after":
        return true; // until the client gives up
      default:
        return false;
    }
  }

  async #answer(calls: readonly RpcCall[]): Promise<readonly RpcAnswer[]> {
    const view = await this.#view();
    const answers = await this.#post(calls.map((call) => distortCall(call, view)));
    const byId = new Map(answers.map((answer) => [answer.id, answer]));
    return calls.map((call) => distortAnswer(call, byId.get(call.id) ?? { id: call.id }, view));
  }

  async #view(): Promise<View> {
    const { lagBlocks, staleNonceBlocks, emptyLogs } = this.weather;
    if (lagBlocks === 0 && staleNonceBlocks === 0) return { emptyLogs };
    const [answer] = await this.#post([{ jsonrpc: "2.0", id: 0, method: "eth_blockNumber", params: [] }]);
    const head = Number(answer?.result);
    const ago = (blocks: number) => (blocks === 0 ? {} : { at: Math.max(0, head - blocks) });
    if (lagBlocks > 0) this.count("lagging");
    if (staleNonceBlocks > 0) this.count("stale_nonce");
    return { emptyLogs, horizon: ago(lagBlocks).at, nonceAt: ago(Math.max(staleNonceBlocks, lagBlocks)).at };
  }

  async #post(calls: readonly RpcCall[]): Promise<readonly RpcAnswer[]> {
    const response = await fetch(this.#target, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(calls),
    });
    return (await response.json()) as readonly RpcAnswer[];
  }
}
