import type { Revert } from "../src/domain/intent.ts";
import type { BatchCall, BatchCodec, BatchResult, EventLog } from "../src/chain-ports.ts";
import { fromJson, toJson, WALLET } from "./_fake-signer.ts";

export const EXECUTOR = `0x${"ec".repeat(20)}`;
const EXECUTE = "execute:";
const SIMULATE = "simulate:";
const CALL_FAILED = "CallFailed";
const BATCH_EXECUTED = "BatchExecuted";
/** Of a batch as such, and of an authorization. */
const BASE_GAS = 26_000n;
const AUTHORIZATION_GAS = 25_000n;

/** The batch executor's language, with JSON in place of the ABI. */
export class FakeBatchCodec implements BatchCodec {
  readonly executor: string = EXECUTOR;

  encode(calls: readonly BatchCall[]): string {
    return EXECUTE + toJson(calls);
  }

  encodeSimulation(calls: readonly BatchCall[]): string {
    return SIMULATE + toJson(calls);
  }

  decodeSimulation(returnData: string): readonly BatchResult[] {
    return fromJson(returnData) as BatchResult[];
  }

  ran(logs: readonly EventLog[], wallet: string): boolean {
    return logs.some(({ address, topics }) => address === wallet && topics[0] === BATCH_EXECUTED);
  }

  failures(logs: readonly EventLog[], wallet: string): ReadonlyMap<number, Revert> {
    const failed = logs.filter(({ address, topics }) => address === wallet && topics[0] === CALL_FAILED);
    return new Map(failed.map(({ data }) => fromJson(data) as [number, Revert]));
  }

  overheadGas(_calls: readonly BatchCall[], hasAuthorization: boolean): bigint {
    return hasAuthorization ? BASE_GAS + AUTHORIZATION_GAS : BASE_GAS;
  }

  delegateOf(code: string): string | undefined {
    return code.startsWith("0xef0100") ? `0x${code.slice(8)}` : undefined;
  }
}

/** Code at the address of a wallet that delegates. */
export function delegationCode(delegate: string | undefined): string {
  return delegate === undefined ? "0x" : `0xef0100${delegate.slice(2)}`;
}

/** The calls of a batch, or of a simulation of one; `undefined` for any other data. */
export function callsIn(data: string, kind: "execute" | "simulate"): readonly BatchCall[] | undefined {
  const prefix = kind === "execute" ? EXECUTE : SIMULATE;
  return data.startsWith(prefix) ? (fromJson(data.slice(prefix.length)) as BatchCall[]) : undefined;
}

/** What the executor answers to a simulation. */
export function simulationAnswer(results: readonly BatchResult[]): string {
  return toJson(results);
}

/** What a batch that ran leaves in its receipt, before it is in a block. */
export function batchLogs(
  count: number,
  failures: ReadonlyMap<number, Revert>,
): Pick<EventLog, "address" | "topics" | "data">[] {
  const failed = [...failures].map((failure) => ({
    address: WALLET,
    topics: [CALL_FAILED],
    data: toJson(failure),
  }));
  return [...failed, { address: WALLET, topics: [BATCH_EXECUTED], data: toJson(count) }];
}
