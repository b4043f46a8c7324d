import { batchExecutorInterface, delegateOf } from "@subnet-worker/contracts";
import { getAddress, type Interface, type Result } from "ethers";
import type { Revert } from "../../domain/intent.ts";
import type { BatchCall, BatchCodec, BatchResult, EventLog } from "../../chain-ports.ts";
import { encodeCalls } from "./batch-calls.ts";

const executorInterface: Interface = batchExecutorInterface;
const EXECUTE = selectorOf("execute");
const SIMULATE = selectorOf("simulate");

// What BatchExecutor.sol, as compiled, burns at most; tests/batch-codec.test.ts measures it.
const TRANSACTION_GAS = 21_000n;
const AUTHORIZATION_GAS = 25_000n;
/** Dispatch and the event that ends the batch. */
const EXECUTE_GAS = 1_600n;
/** Reading a call, CALL on a warm account, and the event of a failure, whose reason the call pays for itself. */
const PER_CALL_GAS = 3_250n;
const COLD_ACCOUNT_GAS = 2_500n;
/** What the contract asks to be left besides the call's own gas (its CALL_GAS), and burns before it looks. */
const CALL_RESERVE_GAS = 6_100n;

/** Speaks with a BatchExecutor. */
export function createBatchCodec(options: {
  readonly executor: string;
  /** Names what a call reverted with; given the data as 0x hex, `0x` when there is none. */
  readonly decodeRevert: (data: string) => Revert;
}): BatchCodec {
  const { decodeRevert } = options;
  const encode = (calls: readonly BatchCall[]) => encodeCalls(EXECUTE, calls);
  return {
    executor: getAddress(options.executor),
    encode,
    encodeSimulation: (calls) => encodeCalls(SIMULATE, calls),
    decodeSimulation(returnData) {
      const [results] = executorInterface.decodeFunctionResult("simulate", returnData);
      return [...(results as Result)].map((result) => batchResult(result as Result, decodeRevert));
    },
    ran: (logs, wallet) => eventsOf("BatchExecuted", logs, wallet).length > 0,
    failures(logs, wallet) {
      const failed = eventsOf("CallFailed", logs, wallet);
      return new Map(failed.map(([index, reason]) => [Number(index), decodeRevert(String(reason))]));
    },
    overheadGas: (calls, hasAuthorization) => overheadGas(encode(calls), calls, hasAuthorization),
    delegateOf,
  };
}

function selectorOf(name: "execute" | "simulate"): string {
  const selector = executorInterface.getFunction(name)?.selector;
  if (selector === undefined) throw new Error(`the executor's ABI has no function ${name}`);
  return selector;
}

function batchResult(result: Result, decodeRevert: (data: string) => Revert): BatchResult {
  const [success, gasUsed, reason] = result as unknown as [boolean, bigint, string];
  return success ? { ok: true, gasUsed } : { ok: false, revert: decodeRevert(reason) };
}

/** Arguments of the wallet's events of this name: only code at its own address can log under it. */
function eventsOf(name: "BatchExecuted" | "CallFailed", logs: readonly EventLog[], wallet: string): Result[] {
  const event = executorInterface.getEvent(name);
  if (event === null) throw new Error(`the executor's ABI has no event ${name}`);
  return logs
    .filter(({ address, topics }) => isSame(address, wallet) && topics[0] === event.topicHash)
    .map(({ data, topics }) => executorInterface.decodeEventLog(event, data, topics));
}

function isSame(address: string, other: string): boolean {
  return address.toLowerCase() === other.toLowerCase();
}

/**
 * With what the calls burn on top, a gas limit that is enough: for calls that all fail, for the reserve that
 * the executor asks for before the last one, and for the floor that EIP-7623 sets for call data, however
 * little the calls burn.
 */
function overheadGas(data: string, calls: readonly BatchCall[], hasAuthorization: boolean): bigint {
  const { zeros, others } = countBytes(data);
  const start =
    TRANSACTION_GAS + 4n * zeros + 16n * others + (hasAuthorization ? AUTHORIZATION_GAS : 0n) + EXECUTE_GAS;
  const accounts = new Set(calls.map(({ to }) => to.toLowerCase())).size;
  const loop = loopGas(calls) + BigInt(accounts) * COLD_ACCOUNT_GAS;
  const floor = TRANSACTION_GAS + 10n * (zeros + 4n * others);
  return max(start + loop, floor);
}

function loopGas(calls: readonly BatchCall[]): bigint {
  let behind = 0n;
  let missing = 0n;
  let loop = 0n;
  for (const { gas, data } of calls.toReversed()) {
    const own = PER_CALL_GAS + copyGas(data);
    // The executor asks for the 64th that CALL keeps back, after it has copied the data. What is meant for
    // this call's own failure and for the calls behind it is there for that.
    missing = max(missing, gas / 63n + CALL_RESERVE_GAS - PER_CALL_GAS - behind);
    behind += gas + own;
    loop += own;
  }
  return loop + missing + memoryGas(calls);
}

function copyGas(data: string): bigint {
  return 3n * words(data);
}

/** Memory as large as the largest call, with what the event of a failure needs. */
function memoryGas(calls: readonly BatchCall[]): bigint {
  const size = calls.reduce((most, { data }) => max(most, words(data)), 0n) + 24n;
  return 3n * size + (size * size) / 512n;
}

function words(data: string): bigint {
  return BigInt(Math.ceil((data.length - 2) / 64));
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function countBytes(data: string): { readonly zeros: bigint; readonly others: bigint } {
  const bytes = Buffer.from(data.slice(2), "hex");
  let zeros = 0;
  for (const byte of bytes) if (byte === 0) zeros++;
  return { zeros: BigInt(zeros), others: BigInt(bytes.length - zeros) };
}
