import { type Interface, isError, type Result } from "ethers";
import { ContractsError } from "./contracts-error.ts";
import {
  multicall3Interface,
  subnetControlPlaneInterface,
  taskQueueInterface,
  workflowEngineInterface,
} from "./interfaces.ts";
import {
  type Activity,
  decodeActivity,
  decodeStepStatus,
  decodeWorker,
  decodeWorkflow,
  type StepStatus,
  type Worker,
  type Workflow,
} from "./records.ts";

/** One `eth_call` and the meaning of its answer. Sends nothing by itself. */
export interface ContractRead<T> {
  readonly to: string;
  readonly data: string;
  /** @throws ContractsError `BAD_ANSWER` when `returnData` is not what the contract answers. */
  decode(returnData: string): T;
}

/** Reads of the TaskQueue at `address`. */
export interface TaskQueueReads {
  /** `undefined` when nothing is claimable. Send it from the worker's address: see the contract. */
  pollActivity(queueName: string, partitionId: number): ContractRead<Activity | undefined>;
  /** One activity, in whatever state; it reverts for an id that is none. */
  getActivity(activityId: string): ContractRead<Activity>;
  /** Assigned and unsettled, expired leases included; in no order. */
  getWorkerActivities(worker: string): ContractRead<readonly string[]>;
  /** How long a claim or heartbeat holds. */
  leaseDurationS(): ContractRead<number>;
  /** How many activities of a queue wait, and how many are leased. */
  getQueueDepth(
    queueName: string,
    partitionId: number,
  ): ContractRead<{ readonly waiting: number; readonly leased: number }>;
}

/** Reads of the SubnetControlPlane at `address`. */
export interface SubnetControlPlaneReads {
  /** Whether the worker may claim. */
  isWorkerActive(worker: string): ContractRead<boolean>;
  /** Semantic version of the contracts. */
  getProtocolVersion(): ContractRead<string>;
  /** What the plane knows of a worker. */
  getWorker(worker: string): ContractRead<Worker>;
}

/** Reads of the WorkflowEngine at `address`. */
export interface WorkflowEngineReads {
  /** Whether `resumeWorkflow` would do something now. */
  isResumable(instance: string): ContractRead<boolean>;
  /** One workflow instance. */
  getWorkflow(instance: string): ContractRead<Workflow>;
  /** The activities of a step, one for each worker that runs it. */
  getStepActivities(instance: string, step: number): ContractRead<readonly string[]>;
  /** How a step stands. */
  getStepStatus(instance: string, step: number): ContractRead<StepStatus>;
}

/**
 * Typed reads of a TaskQueue.
 *
 * @example
 * ```ts
 * import { type Activity, taskQueueReads } from "@subnet-worker/contracts";
 * import type { Provider } from "ethers";
 *
 * async function next(provider: Provider, address: string): Promise<Activity | undefined> {
 *   const read = taskQueueReads(address).pollActivity("audio/1.0.0/processing", 0);
 *   return read.decode(await provider.call({ to: read.to, data: read.data }));
 * }
 * ```
 */
export function taskQueueReads(address: string): TaskQueueReads {
  const read = reader(address, taskQueueInterface);
  return {
    pollActivity: (queueName, partitionId) =>
      read("pollActivity", [queueName, partitionId], (result) =>
        result[1] === true ? decodeActivity(result[0] as Result) : undefined,
      ),
    getActivity: (activityId) =>
      read("getActivity", [activityId], (result) => decodeActivity(result[0] as Result)),
    getWorkerActivities: (worker) => read("getWorkerActivities", [worker], strings),
    leaseDurationS: () => read("leaseDurationS", [], (result) => Number(result[0])),
    getQueueDepth: (queueName, partitionId) =>
      read("getQueueDepth", [queueName, partitionId], (result) => ({
        waiting: Number(result[0]),
        leased: Number(result[1]),
      })),
  };
}

/** Typed reads of a SubnetControlPlane. */
export function subnetControlPlaneReads(address: string): SubnetControlPlaneReads {
  const read = reader(address, subnetControlPlaneInterface);
  return {
    isWorkerActive: (worker) => read("isWorkerActive", [worker], (result) => result[0] === true),
    getProtocolVersion: () => read("getProtocolVersion", [], (result) => String(result[0])),
    getWorker: (worker) => read("getWorker", [worker], (result) => decodeWorker(result[0] as Result)),
  };
}

/** Typed reads of a WorkflowEngine. */
export function workflowEngineReads(address: string): WorkflowEngineReads {
  const read = reader(address, workflowEngineInterface);
  return {
    isResumable: (instance) => read("isResumable", [instance], (result) => result[0] === true),
    getWorkflow: (instance) =>
      read("getWorkflow", [instance], (result) => decodeWorkflow(result[0] as Result)),
    getStepActivities: (instance, step) => read("getStepActivities", [instance, step], strings),
    getStepStatus: (instance, step) =>
      read("getStepStatus", [instance, step], (result) => decodeStepStatus(result[0] as bigint)),
  };
}

/** One answer of a batch: the value, or the revert data of a read that failed. */
export type BatchAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly revertData: string };

/**
 * Many reads in one `eth_call`, through Multicall3. A read that reverts does not spoil the others.
 *
 * The contracts see Multicall3 as the sender, so `pollActivity` in a batch does not pass over what the
 * worker may not claim.
 */
export function batchReads<T>(
  reads: readonly ContractRead<T>[],
  multicall3Address: string,
): ContractRead<readonly BatchAnswer<T>[]> {
  const calls = reads.map(({ to, data }) => [to, true, data]);
  return reader(multicall3Address, multicall3Interface)("aggregate3", [calls], (result) => {
    const answers = result[0] as Result;
    return reads.map((read, index): BatchAnswer<T> => {
      const [success, returnData] = answers[index] as [boolean, string];
      return success ? { ok: true, value: read.decode(returnData) } : { ok: false, revertData: returnData };
    });
  });
}

function strings(result: Result): readonly string[] {
  return [...(result[0] as Iterable<string>)];
}

function reader(to: string, contract: Interface) {
  return <T>(name: string, args: readonly unknown[], map: (result: Result) => T): ContractRead<T> => ({
    to,
    data: contract.encodeFunctionData(name, args),
    decode(returnData) {
      return map(decodeResult({ to, contract, name }, returnData));
    },
  });
}

function decodeResult(
  read: { readonly to: string; readonly contract: Interface; readonly name: string },
  returnData: string,
): Result {
  try {
    return read.contract.decodeFunctionResult(read.name, returnData);
  } catch (cause) {
    if (!isError(cause, "BAD_DATA") && !isError(cause, "CALL_EXCEPTION")) throw cause;
    throw new ContractsError(
      "BAD_ANSWER",
      `${read.to} gave no valid answer to ${read.name}: check that this is the right address on the right chain`,
      { cause, details: { address: read.to, function: read.name, returnData } },
    );
  }
}
