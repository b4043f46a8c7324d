import { type Fees, initialFees } from "../../domain/fees.ts";
import type { Receipt, Revert } from "../../domain/intent.ts";
import {
  CallReverted,
  type CallRequest,
  type Chain,
  type EventLog,
  type Head,
  type LogQuery,
  type SendOutcome,
  StoppedError,
} from "../../ports.ts";
import { classifySendError, errorText, revertData } from "./classify.ts";
import { type JsonRpc, RpcError, RpcUnavailable } from "./json-rpc.ts";

interface RawReceipt {
  readonly transactionHash: string;
  readonly blockNumber: string;
  readonly gasUsed: string;
  readonly effectiveGasPrice?: string;
  readonly status: string;
}

interface RawLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
  readonly blockNumber: string;
  readonly removed?: boolean;
}

export interface RpcChainDeps {
  readonly rpc: JsonRpc;
  /** Turns revert data into a name and a sentence. */
  readonly decodeRevert: (data: string) => Revert;
}

const QUANTITY = /^0x[0-9a-fA-F]+$/;

/** A block as JSON-RPC has it; `undefined` for anything else that an endpoint may say. */
export function readHead(raw: unknown): Head | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  const { number, hash, timestamp, baseFeePerGas = "0x0" } = raw as Readonly<Record<string, unknown>>;
  const isQuantity = (value: unknown): value is string => typeof value === "string" && QUANTITY.test(value);
  if (!isQuantity(number) || !isQuantity(timestamp) || !isQuantity(baseFeePerGas)) return undefined;
  if (typeof hash !== "string") return undefined;
  return {
    number: Number(number),
    hash,
    timestampS: Number(timestamp),
    baseFeePerGasWei: BigInt(baseFeePerGas),
  };
}

/** As {@link readHead}. @throws with `[BAD_HEAD]` for what is no block */
export function parseHead(raw: unknown): Head {
  const head = readHead(raw);
  if (head !== undefined) return head;
  const text = JSON.stringify(raw) ?? "nothing";
  throw new Error(
    `[BAD_HEAD] the endpoint gives no newest block but ${text.slice(0, 200)}; check that ethereum.rpc_url is a node's`,
  );
}

/** `0x` and four bytes. */
const SELECTOR_LENGTH = 10;
/** Lengths of results vary: the memory of them is bounded. */
const MAX_SHAPES = 1_000;

const tag = (blockNumber: number | undefined) =>
  blockNumber === undefined ? "latest" : `0x${blockNumber.toString(16)}`;

/** The chain behind one JSON-RPC endpoint. */
export class RpcChain implements Chain {
  readonly #rpc: JsonRpc;
  readonly #gasByShape = new Map<string, bigint>();
  readonly #deps: RpcChainDeps;

  constructor(deps: RpcChainDeps) {
    this.#rpc = deps.rpc;
    this.#deps = deps;
  }

  async chainId(): Promise<bigint> {
    return BigInt((await this.#rpc.call("eth_chainId", [])) as string);
  }

  async code(address: string): Promise<string> {
    return (await this.#rpc.call("eth_getCode", [address, "latest"])) as string;
  }

  async call(request: CallRequest, blockNumber?: number): Promise<string> {
    return (await this.#simulate("eth_call", [request, tag(blockNumber)])) as string;
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
    const gas = BigInt((await this.#simulate("eth_estimateGas", [request])) as string);
    if (this.#gasByShape.size >= MAX_SHAPES) this.#gasByShape.clear();
    const highest = known === undefined || gas > known ? gas : known;
    this.#gasByShape.set(shape, highest);
    return highest;
  }

  /** @throws {CallReverted} when the contract says no; false when the gas may be short */
  async #runsWithin(request: CallRequest, gas: bigint): Promise<boolean> {
    try {
      await this.#simulate("eth_call", [{ ...request, gas: `0x${gas.toString(16)}` }, "latest"]);
      return true;
    } catch (error) {
      const isRefusal = error instanceof CallReverted && error.revert.name !== "";
      if (isRefusal || error instanceof StoppedError) throw error;
      // Short of gas, which each node says in its own words; the estimate finds out.
      return false;
    }
  }

  async minedCount(address: string): Promise<number> {
    return Number(await this.#rpc.call("eth_getTransactionCount", [address, "latest"]));
  }

  async pendingCount(address: string): Promise<number> {
    return Number(await this.#rpc.call("eth_getTransactionCount", [address, "pending"]));
  }

  async marketFees(): Promise<Fees> {
    const [block, tip] = await Promise.all([
      this.#rpc.call("eth_getBlockByNumber", ["latest", false]),
      this.#rpc.call("eth_maxPriorityFeePerGas", []),
    ]);
    return initialFees(parseHead(block).baseFeePerGasWei, BigInt(tip as string));
  }

  async send(raw: string): Promise<SendOutcome> {
    try {
      await this.#rpc.once("eth_sendRawTransaction", [raw]);
      return { kind: "accepted" };
    } catch (error) {
      if (error instanceof RpcError) return classifySendError(errorText(error));
      // A timeout or reset after the request was written says nothing about the transaction.
      if (error instanceof RpcUnavailable) return { kind: "unknown", message: error.message };
      throw error;
    }
  }

  async receipt(txHash: string): Promise<Receipt | undefined> {
    const raw = (await this.#rpc.call("eth_getTransactionReceipt", [txHash])) as RawReceipt | null;
    if (raw === null) return undefined;
    return {
      txHash: raw.transactionHash,
      blockNumber: Number(raw.blockNumber),
      gasUsed: BigInt(raw.gasUsed),
      effectiveGasPriceWei: BigInt(raw.effectiveGasPrice ?? 0),
      succeeded: Number(raw.status) === 1,
    };
  }

  async logs(query: LogQuery): Promise<readonly EventLog[]> {
    const filter = { ...query, fromBlock: tag(query.fromBlock), toBlock: tag(query.toBlock) };
    const raw = (await this.#rpc.call("eth_getLogs", [filter])) as readonly RawLog[];
    return raw
      .filter((log) => log.removed !== true)
      .map(({ address, topics, data, blockNumber }) => ({
        address,
        topics,
        data,
        blockNumber: Number(blockNumber),
      }));
  }

  async balanceWei(address: string): Promise<bigint> {
    return BigInt((await this.#rpc.call("eth_getBalance", [address, "latest"])) as string);
  }

  async #simulate(method: string, params: readonly unknown[]): Promise<unknown> {
    try {
      return await this.#rpc.call(method, params);
    } catch (error) {
      if (!(error instanceof RpcError) || error instanceof StoppedError) throw error;
      const data = revertData(error.message, error.data);
      if (data === undefined) throw error;
      throw new CallReverted(this.#deps.decodeRevert(data));
    }
  }
}
