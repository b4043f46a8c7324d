import type { FeeMarket } from "../../domain/fees.ts";
import type { Revert } from "../../domain/intent.ts";
import {
  type Block,
  CallReverted,
  type CallRequest,
  type Chain,
  type EventLog,
  type LogQuery,
  type MinedReceipt,
  type SendOutcome,
} from "../../chain-ports.ts";
import { StoppedError } from "../../ports.ts";
import { FeeReader } from "./fee-market.ts";
import { asLogRangeTooWide } from "./log-range.ts";
import { isOutOfGas, revertData } from "./revert-data.ts";
import type { Ask, Rpc } from "./rpc.ts";
import {
  parseBlock,
  parseHex,
  parseLogs,
  parseMaybeBlock,
  parseQuantity,
  parseReceipt,
  toQuantity,
} from "./wire.ts";

export interface RpcChainDeps {
  readonly rpc: Rpc;
  /** Turns revert data into a name and a sentence. */
  readonly decodeRevert: (data: string) => Revert;
}

/** `0x` and four bytes. */
const SELECTOR_LENGTH = 10;
/** Lengths of results vary: the memory of them is bounded. */
const MAX_SHAPES = 1_000;

const tag = (blockNumber: number | undefined) =>
  blockNumber === undefined ? "latest" : toQuantity(blockNumber);
const toNumber = (raw: unknown) => Number(parseQuantity(raw));
const toBigInt = (raw: unknown) => parseQuantity(raw);

/** The question for the newest block; its answer tells how far the endpoint is. */
export const NEWEST_BLOCK: Ask<Block> = {
  method: "eth_getBlockByNumber",
  params: ["latest", false],
  read: parseBlock,
  newestBlock: ({ number }) => number,
};

/** The chain behind its JSON-RPC endpoints. */
export class RpcChain implements Chain {
  readonly #rpc: Rpc;
  readonly #fees: FeeReader;
  readonly #gasByShape = new Map<string, bigint>();
  readonly #deps: RpcChainDeps;

  constructor(deps: RpcChainDeps) {
    this.#rpc = deps.rpc;
    this.#fees = new FeeReader(deps.rpc);
    this.#deps = deps;
  }

  chainId(): Promise<bigint> {
    return this.#rpc.chainId();
  }

  block(which: number | "latest"): Promise<Block | undefined> {
    if (which === "latest") return this.#rpc.call(NEWEST_BLOCK);
    return this.#rpc.call({
      method: "eth_getBlockByNumber",
      params: [toQuantity(which), false],
      read: parseMaybeBlock,
      need: "any",
      // Another endpoint may have what this one has not got yet, unless nobody can have it.
      isEnough: (block) => block !== undefined || which > this.#rpc.newestBlock(),
    });
  }

  feeMarket(): Promise<FeeMarket> {
    return this.#fees.read();
  }

  code(address: string): Promise<string> {
    return this.#rpc.call({ method: "eth_getCode", params: [address, "latest"], read: parseHex });
  }

  call(request: CallRequest, blockNumber?: number): Promise<string> {
    return this.#simulate({
      method: "eth_call",
      params: [request, tag(blockNumber)],
      read: parseHex,
      need: blockNumber ?? "newest",
    });
  }

  /**
   * An estimate is a search: the node runs the transaction many times over. What a call of the same
   * shape (function and length of data) took before is tried first, in one run; the highest figure is
   * kept, and where it is not enough the node searches again.
   */
  async estimateGas(request: CallRequest): Promise<bigint> {
    const shape = `${request.to}:${request.data.slice(0, SELECTOR_LENGTH)}:${request.data.length}`;
    const known = this.#gasByShape.get(shape);
    if (known !== undefined && (await this.#runsWithin(request, known))) return known;
    const gas = await this.#simulate({ method: "eth_estimateGas", params: [request], read: toBigInt });
    if (this.#gasByShape.size >= MAX_SHAPES) this.#gasByShape.clear();
    const highest = known === undefined || gas > known ? gas : known;
    this.#gasByShape.set(shape, highest);
    return highest;
  }

  /** @throws {CallReverted} when the contract says no; false when the gas may be short */
  async #runsWithin(request: CallRequest, gas: bigint): Promise<boolean> {
    try {
      const params = [{ ...request, gas: toQuantity(gas) }, "latest"];
      await this.#simulate({ method: "eth_call", params, read: parseHex });
      return true;
    } catch (error) {
      const isRefusal = error instanceof CallReverted && error.revert.name !== "";
      if (isRefusal || error instanceof StoppedError) throw error;
      // Short of gas, which each node says in its own words; the estimate finds out.
      return false;
    }
  }

  minedCount(address: string): Promise<number> {
    return this.#count(address, "latest");
  }

  pendingCount(address: string): Promise<number> {
    return this.#count(address, "pending");
  }

  send(raw: string): Promise<SendOutcome> {
    return this.#rpc.send(raw);
  }

  receipt(txHash: string): Promise<MinedReceipt | undefined> {
    return this.#rpc.call({
      method: "eth_getTransactionReceipt",
      params: [txHash],
      read: parseReceipt,
      need: "any",
      // Missing at one node is no news: it may be behind, or index late.
      isEnough: (receipt) => receipt !== undefined,
    });
  }

  /** @throws {LogRangeTooWide} */
  logs(query: LogQuery): Promise<readonly EventLog[]> {
    return this.#rpc.call({
      method: "eth_getLogs",
      params: [{ ...query, fromBlock: tag(query.fromBlock), toBlock: tag(query.toBlock) }],
      read: parseLogs,
      // A node that has not got the range's last block yet may answer with what it has, and no word of it.
      need: query.toBlock,
      refusal: asLogRangeTooWide,
    });
  }

  balanceWei(address: string): Promise<bigint> {
    return this.#rpc.call({ method: "eth_getBalance", params: [address, "latest"], read: toBigInt });
  }

  #count(address: string, state: "latest" | "pending"): Promise<number> {
    return this.#rpc.call({
      method: "eth_getTransactionCount",
      params: [address, state],
      read: toNumber,
    });
  }

  #simulate<T>(ask: Ask<T>): Promise<T> {
    return this.#rpc.call({
      ...ask,
      refusal: ({ message, data }) => {
        const found = revertData(message, data);
        if (found === undefined) return undefined;
        const isShortOfGas = found === "0x" && isOutOfGas(message);
        return new CallReverted(isShortOfGas ? { name: "", message } : this.#deps.decodeRevert(found));
      },
    });
  }
}
