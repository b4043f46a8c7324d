import { type ErrorDescription, Interface } from "ethers";
import { multicall3Abi } from "./gen/multicall3.ts";
import { subnetControlPlaneAbi } from "./gen/subnet-control-plane.ts";
import { taskQueueAbi } from "./gen/task-queue.ts";
import { workflowEngineAbi } from "./gen/workflow-engine.ts";

/** Why a call reverted. */
export interface ContractRevert {
  /** The error's name in Solidity: `ActivityAlreadyClaimed`, `Error`, `Panic` ... */
  readonly name: string;
  /** By parameter name; integers are bigint. */
  readonly args: Readonly<Record<string, unknown>>;
  /** For an operator. */
  readonly message: string;
}

type Args = Readonly<Record<string, unknown>>;

const errors = new Interface(
  [...taskQueueAbi, ...workflowEngineAbi, ...subnetControlPlaneAbi, ...multicall3Abi].filter(
    // A contract that reverts with another's error lists it too; the first one is as good as the second.
    (entry, index, all) =>
      entry.type === "error" &&
      all.findIndex((other) => other.type === "error" && other.name === entry.name) === index,
  ),
);

const WORKFLOW_STATUS_WORDS = ["running", "completed", "failed"];

/** What each custom error means. Every custom error of the contracts has a sentence here. */
const SENTENCES: Readonly<Record<string, (args: Args) => string>> = {
  // TaskQueue
  UnknownActivity: (a) =>
    `activity ${a["activityId"]} is not in this TaskQueue: check the address and the chain`,
  ActivityAlreadySettled: (a) => `activity ${a["activityId"]} is already settled`,
  ActivityAlreadyClaimed: (a) =>
    `activity ${a["activityId"]} is held by worker ${a["worker"]} until ${time(a["expiresAt"])}`,
  GroupAlreadyClaimed: (a) =>
    `worker ${a["worker"]} may not claim activity ${a["activityId"]}: it already has ${a["claimedActivityId"]}, a replica of the same step`,
  NotAssignedWorker: (a) =>
    isZero(a["assignedWorker"])
      ? `activity ${a["activityId"]} is not assigned to anybody: claim it first`
      : `activity ${a["activityId"]} is assigned to ${a["assignedWorker"]}, not to ${a["caller"]}`,
  NotRequester: (a) => `activity ${a["activityId"]} was enqueued by ${a["requester"]}, not by ${a["caller"]}`,
  LeaseExpired: (a) =>
    `the lease on activity ${a["activityId"]} ran out at ${time(a["expiredAt"])}, before ${time(a["nowS"])}: send heartbeats more often, or claim it again`,
  LeaseNotExpired: (a) => `the lease on activity ${a["activityId"]} is valid until ${time(a["expiresAt"])}`,
  LeaseDurationOutOfRange: (a) => `a lease of ${a["leaseDurationS"]} s is out of range: 1 to ${a["maxS"]} s`,
  ProgressOutOfRange: (a) => `progress ${a["progress"]} is out of range: 0 to 100`,
  EmptyQueueName: () => "the queue name is empty",
  ZeroActivityType: () => "the activity type is the zero address",
  PayloadTooLarge: (a) =>
    `${a["sizeBytes"]} bytes are too many to keep on chain, at most ${a["maxBytes"]}: put the data in storage and pass its object key`,
  UnknownPayload: (a) => `no payload with hash ${a["payloadHash"]} was ever stored`,
  // SubnetControlPlane
  NotTaskQueue: (a) => `only the TaskQueue ${a["taskQueue"]} may do this, not ${a["caller"]}`,
  WorkerNotRegistered: (a) => `worker ${a["worker"]} is not registered: call registerWorker from it`,
  WorkerNotActive: (a) => `worker ${a["worker"]} is not active: register it, or have the owner reinstate it`,
  WorkerIsSuspended: (a) => `worker ${a["worker"]} is suspended: ask the subnet's owner to reinstate it`,
  WorkerIsNotSuspended: (a) => `worker ${a["worker"]} is not suspended`,
  CapacityOutOfRange: (a) => `a capacity of ${a["capacity"]} is out of range: 1 to ${a["maxCapacity"]}`,
  CapacityExceeded: (a) =>
    `worker ${a["worker"]} holds ${a["activeCount"]} activities and registered for ${a["capacity"]}: finish some, or register a higher capacity`,
  EmptyProtocolVersion: () => "the protocol version is empty",
  // WorkflowEngine
  EmptyWorkflowName: () => "the workflow name is empty",
  WorkflowAlreadyRegistered: (a) =>
    `workflow ${a["workflow"]} is registered already and cannot change: register it under a new version`,
  UnknownWorkflow: (a) => `workflow ${a["workflow"]} is not registered: call registerWorkflow first`,
  StepCountOutOfRange: (a) =>
    `workflow ${a["workflow"]} has ${a["stepCount"]} steps, out of range: 1 to ${a["maxSteps"]}`,
  EmptyWorkerClass: (a) => `step ${a["step"]} has no worker class`,
  StepWithoutActivityType: (a) => `step ${a["step"]} has the zero address as its activity type`,
  NumWorkersOutOfRange: (a) =>
    `step ${a["step"]} asks for ${a["numWorkers"]} workers, out of range: 1 to ${a["maxWorkers"]}`,
  QuorumOutOfRange: (a) =>
    `step ${a["step"]} asks for a quorum of ${a["quorum"]}, out of range: 1 to its ${a["numWorkers"]} workers`,
  UnknownWorkflowInstance: (a) =>
    `workflow instance ${a["instance"]} is not in this WorkflowEngine: check the address and the chain`,
  WorkflowNotRunning: (a) =>
    `workflow instance ${a["instance"]} has ended: ${WORKFLOW_STATUS_WORDS[Number(a["status"])] ?? "unknown"}`,
  StepNotFinalised: (a) =>
    `step ${a["step"]} of workflow instance ${a["instance"]} is not finalised: ${a["settledCount"]} of ${a["activityCount"]} activities are settled`,
  StepOutOfRange: (a) =>
    `workflow instance ${a["instance"]} has no step ${a["step"]}: it has ${a["stepCount"]}, counted from 0`,
  // Owned
  NotOwner: (a) => `only the owner ${a["owner"]} may do this, not ${a["caller"]}`,
  NotPendingOwner: (a) =>
    `only ${a["pendingOwner"]}, to whom ownership was offered, may do this, not ${a["caller"]}`,
  // Solidity
  Error: (a) => String(a["message"] ?? a["reason"]),
  Panic: (a) => `the contract panicked: ${PANICS[Number(a["code"])] ?? `code ${String(a["code"])}`}`,
};

const PANICS: Readonly<Record<number, string>> = {
  0x01: "assertion failed",
  0x11: "arithmetic overflow or underflow",
  0x12: "division by zero",
  0x21: "value is no member of its enum",
  0x31: "pop from an empty array",
  0x32: "array index out of bounds",
  0x41: "out of memory",
};

/**
 * Reads the data of a revert: any custom error of the contracts, `Error(string)` or `Panic(uint256)`.
 *
 * `undefined` when it is none of them, or when there is no data, as when a call runs out of gas or the
 * address has no code.
 *
 * @example
 * ```ts
 * const revert = decodeContractError(data);
 * if (revert?.name === "ActivityAlreadyClaimed") log.info(revert.message);
 * ```
 */
export function decodeContractError(data: string): ContractRevert | undefined {
  const description = parse(data);
  if (description === null) return undefined;
  const { name } = description;
  const args = description.args.toObject() as Args;
  return { name, args, message: SENTENCES[name]?.(args) ?? description.signature };
}

function parse(data: string): ErrorDescription | null {
  // Shorter data, such as "0x", carry no selector.
  if (!/^0x[0-9a-f]{8}/i.test(data)) return null;
  try {
    return errors.parseError(data);
  } catch {
    // A known selector with arguments that do not fit it: somebody else's error.
    return null;
  }
}

function time(seconds: unknown): string {
  const ms = Number(seconds) * 1000;
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${String(seconds)} s`;
}

function isZero(address: unknown): boolean {
  return /^0x0*$/.test(String(address));
}
