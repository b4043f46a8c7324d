import type { Clock } from "@subnet-worker/kit";
import { RpcChain } from "../adapters/rpc/chain.ts";
import { JsonRpc } from "../adapters/rpc/json-rpc.ts";
import type { Ask, Rpc } from "../adapters/rpc/rpc.ts";
import { RpcError } from "../adapters/rpc/rpc-error.ts";
import { classifySendError } from "../adapters/rpc/send-errors.ts";
import { mergeSendOutcomes } from "../adapters/rpc/send-merge.ts";
import { errorText } from "../adapters/rpc/revert-data.ts";
import { parseQuantity } from "../adapters/rpc/wire.ts";
import type { Config } from "../config.ts";
import { decodeRevert } from "../open.ts";
import type { Chain, SendOutcome } from "../chain-ports.ts";
import { StoppedError } from "../ports.ts";

/**
 * Endpoints that are each asked once, in order, until one answers: a command had better say at once what is
 * wrong than try on for ever as the node does.
 */
export class DirectRpc implements Rpc {
  readonly #endpoints: readonly JsonRpc[];

  constructor(endpoints: readonly JsonRpc[]) {
    this.#endpoints = endpoints;
  }

  async call<T>(ask: Ask<T>): Promise<T> {
    let failure: unknown;
    let answer: { readonly value: T } | undefined;
    for (const endpoint of this.#endpoints) {
      try {
        answer = { value: ask.read(await endpoint.once(ask.method, ask.params)) };
        if (ask.isEnough?.(answer.value) !== false) return answer.value;
      } catch (error) {
        const refusal = error instanceof RpcError ? ask.refusal?.(error) : undefined;
        if (refusal !== undefined) throw refusal;
        failure = error;
      }
    }
    if (answer !== undefined) return answer.value;
    throw failure;
  }

  async send(raw: string): Promise<SendOutcome> {
    return mergeSendOutcomes(await Promise.all(this.#endpoints.map((endpoint) => sendTo(endpoint, raw))));
  }

  chainId(): Promise<bigint> {
    return this.call({ method: "eth_chainId", params: [], read: (raw) => parseQuantity(raw, "chain id") });
  }

  pushed(): void {
    // No newer block is told of while a command runs.
  }

  newestBlock(): number {
    return 0; // nothing is remembered between calls
  }
}

async function sendTo(endpoint: JsonRpc, raw: string): Promise<SendOutcome> {
  try {
    await endpoint.once("eth_sendRawTransaction", [raw]);
    return { kind: "accepted" };
  } catch (error) {
    if (error instanceof StoppedError) throw error;
    if (error instanceof RpcError) return classifySendError(errorText(error));
    // A timeout or reset after the request was written says nothing about the transaction.
    return { kind: "unknown", message: error instanceof Error ? error.message : String(error) };
  }
}

export interface DirectDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** One client for each configured endpoint. */
export function directEndpoints({ ethereum }: Config, deps: DirectDeps): readonly JsonRpc[] {
  return ethereum.rpc_url.map(
    (url) => new JsonRpc({ url, timeoutMs: ethereum.rpc_timeout, batchSize: 100 }, deps),
  );
}

/** The configured chain for a command: no call is repeated. */
export function directChain(endpoints: readonly JsonRpc[]): Chain {
  return new RpcChain({ rpc: new DirectRpc(endpoints), decodeRevert });
}
