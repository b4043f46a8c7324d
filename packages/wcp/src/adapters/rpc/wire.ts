import type { Block, EventLog, Head, MinedReceipt } from "../../chain-ports.ts";
import { BadAnswer } from "./rpc-error.ts";

const QUANTITY = /^0x[0-9a-fA-F]+$/;
const HEX = /^0x[0-9a-fA-F]*$/;

type Fields = Readonly<Record<string, unknown>>;

/** A number as JSON-RPC writes it. */
export function toQuantity(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** @throws {BadAnswer} */
export function parseQuantity(raw: unknown, what = "number"): bigint {
  if (!isQuantity(raw)) throw new BadAnswer(what, raw);
  return BigInt(raw);
}

/** @throws {BadAnswer} */
export function parseHex(raw: unknown): string {
  if (typeof raw !== "string" || !HEX.test(raw)) throw new BadAnswer("bytes", raw);
  return raw;
}

/** A block's header as JSON-RPC has it, pushed or asked for; `undefined` for anything else that an endpoint may say. */
export function readHead(raw: unknown): Head | undefined {
  if (!isFields(raw)) return undefined;
  const { number, hash, parentHash, timestamp, gasLimit, logsBloom } = raw;
  const baseFee = raw["baseFeePerGas"] ?? "0x0";
  if (!isQuantity(number) || !isQuantity(timestamp) || !isQuantity(baseFee)) return undefined;
  if (typeof hash !== "string" || typeof parentHash !== "string") return undefined;
  return {
    number: Number(number),
    hash,
    parentHash,
    timestampS: Number(timestamp),
    baseFeePerGasWei: BigInt(baseFee),
    // Some light gateways leave it out of a pushed header; nothing hangs on it there.
    gasLimit: isQuantity(gasLimit) ? BigInt(gasLimit) : 0n,
    ...(typeof logsBloom === "string" ? { logsBloom } : {}),
  };
}

/** @throws {BadAnswer} for what is no block */
export function parseBlock(raw: unknown): Block {
  const head = readHead(raw);
  if (head === undefined) throw new BadAnswer("block", raw);
  return { ...head, logsBloom: head.logsBloom };
}

/** As {@link parseBlock}; `undefined` where there is no such block. */
export function parseMaybeBlock(raw: unknown): Block | undefined {
  return raw === null ? undefined : parseBlock(raw);
}

/** `undefined` where the transaction is in no block. @throws {BadAnswer} */
export function parseReceipt(raw: unknown): MinedReceipt | undefined {
  if (raw === null) return undefined;
  const fields = isFields(raw) ? raw : {};
  const { transactionHash, blockNumber, blockHash, gasUsed, status, logs } = fields;
  // A few nodes make receipts of pending transactions, without a block.
  if (blockHash === null || blockNumber === null) return undefined;
  if (typeof transactionHash !== "string" || typeof blockHash !== "string" || !Array.isArray(logs)) {
    throw new BadAnswer("receipt", raw);
  }
  return {
    txHash: transactionHash,
    blockNumber: Number(parseQuantity(blockNumber, "block number in a receipt")),
    blockHash,
    gasUsed: parseQuantity(gasUsed, "gas in a receipt"),
    effectiveGasPriceWei: parseQuantity(fields["effectiveGasPrice"] ?? "0x0", "gas price in a receipt"),
    succeeded: Number(status) === 1,
    logs: parseLogs(logs),
  };
}

/** Without those that a reorg has removed. @throws {BadAnswer} */
export function parseLogs(raw: unknown): readonly EventLog[] {
  if (!Array.isArray(raw)) throw new BadAnswer("list of logs", raw);
  return raw.filter((log: unknown) => !isFields(log) || log["removed"] !== true).map(parseLog);
}

function parseLog(raw: unknown): EventLog {
  const { address, topics, data, blockNumber, blockHash, logIndex } = isFields(raw) ? raw : {};
  if (
    typeof address !== "string" ||
    typeof data !== "string" ||
    typeof blockHash !== "string" ||
    !Array.isArray(topics)
  ) {
    throw new BadAnswer("log", raw);
  }
  return {
    address,
    topics: topics as readonly string[],
    data,
    blockNumber: Number(parseQuantity(blockNumber, "block number in a log")),
    blockHash,
    logIndex: Number(parseQuantity(logIndex, "index in a log")),
  };
}

export function isQuantity(value: unknown): value is string {
  return typeof value === "string" && QUANTITY.test(value);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
