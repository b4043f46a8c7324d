import { type ErrorDescription, Interface, ZeroAddress } from "ethers";
import { batchExecutorAbi } from "./gen/batch-executor.ts";
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
  /** For an operator: what happened, to what, and what to do next. */
  readonly message: string;
}

const errors = new Interface(
  [
    ...taskQueueAbi,
    ...workflowEngineAbi,
    ...subnetControlPlaneAbi,
    ...multicall3Abi,
    ...batchExecutorAbi,
  ].filter(
    // A contract that reverts with another's error lists it too; the first one is as good as the second.
    (entry, index, all) =>
      entry.type === "error" &&
      all.findIndex((other) => other.type === "error" && other.name === entry.name) === index,
  ),
);

/** What each error means; `{x}` is its argument `x`. The tests see to it that none is missing. */
const SENTENCES: Readonly<Record<string, string>> = {
  // TaskQueue
  UnknownActivity: "activity {activityId} is not in this TaskQueue: check the address and the chain",
  ActivityAlreadySettled: "activity {activityId} is already settled: there is nothing left to do for it",
  ActivityAlreadyClaimed: "activity {activityId} is held by worker {worker} until {expiresAt}: take another",
  GroupAlreadyClaimed:
    "worker {worker} may not claim activity {activityId}: it has {claimedActivityId}, a replica of the same step, and replicas need different workers",
  NotAssignedWorker: "activity {activityId} is assigned to {assignedWorker}, not to {caller}: claim it first",
  NotRequester: "activity {activityId} was enqueued by {requester}: {caller} cannot withdraw it",
  LeaseExpired:
    "the lease on activity {activityId} ran out at {expiredAt}, before {nowS}: claim it again, and send heartbeats more often",
  LeaseNotExpired: "the lease on activity {activityId} is valid until {expiresAt}: release it after that",
  LeaseDurationOutOfRange: "a lease of {leaseDurationS} s is out of range: choose 1 to {maxS} s",
  ProgressOutOfRange: "progress {progress} of activity {activityId} is out of range: send 0 to 100",
  EmptyQueueName: "the queue name is empty: give one, like audio/1.0.0/processing",
  ZeroActivityType: "the activity type is the zero address: use activityTypeAddress(workflow, activityId)",
  PayloadTooLarge:
    "payload of {sizeBytes} bytes, while the chain keeps at most {maxBytes}: put the data in storage and pass its object key",
  UnknownPayload: "no payload with hash {payloadHash} was ever stored: check the address and the chain",
  // SubnetControlPlane
  NotTaskQueue: "only the TaskQueue {taskQueue} may do this, not {caller}: the owner sets it by setTaskQueue",
  WorkerNotRegistered: "worker {worker} is not registered: call registerWorker from it",
  WorkerNotActive: "worker {worker} is not active: call registerWorker from it",
  WorkerIsSuspended: "worker {worker} is suspended: ask the subnet's owner to reinstate it",
  WorkerIsNotSuspended: "worker {worker} is not suspended: there is nothing to reinstate",
  CapacityOutOfRange: "a capacity of {capacity} is out of range: choose 1 to {maxCapacity}",
  CapacityExceeded:
    "worker {worker} holds {activeCount} activities and registered for {capacity}: settle one, release an expired one, or register a higher capacity",
  EmptyProtocolVersion: "the protocol version is empty: give one, like 0.2.0",
  // WorkflowEngine
  EmptyWorkflowName: "the workflow name is empty: give name and version, like audio/1.0.0",
  WorkflowAlreadyRegistered:
    "workflow {workflow} is registered already and cannot change: register it under a new version",
  UnknownWorkflow: "workflow {workflow} is not registered: call registerWorkflow first",
  StepCountOutOfRange: "workflow {workflow} has {stepCount} steps: give it 1 to {maxSteps}",
  EmptyWorkerClass: "step {step} has no worker class: give one, like processing",
  StepWithoutActivityType:
    "step {step} has the zero address as its activity type: use activityTypeAddress(workflow, activityId)",
  NumWorkersOutOfRange: "step {step} asks for {numWorkers} workers: ask for 1 to {maxWorkers}",
  QuorumOutOfRange: "step {step} asks for a quorum of {quorum}: ask for 1 to its {numWorkers} workers",
  UnknownWorkflowInstance:
    "workflow instance {instance} is not in this WorkflowEngine: check the address and the chain",
  WorkflowNotRunning: "workflow instance {instance} is {status}: there is nothing to resume",
  StepNotFinalised:
    "step {step} of workflow instance {instance} is not finalised, with {settledCount} of {activityCount} activities settled: resume it later",
  StepOutOfRange: "workflow instance {instance} has no step {step}: it has {stepCount}, counted from 0",
  // BatchExecutor
  NotTheWallet:
    "only the wallet {wallet} itself may use its batch executor, not {caller}: send batches from the wallet to itself",
  TooLittleGas:
    "call {index} of the batch needs {gasNeeded} gas and {gasLeft} was left, so none of the batch took effect: send it with a higher gas limit",
  // Owned
  NotOwner: "only the owner {owner} may do this, not {caller}: send it from the owner's account",
  NotPendingOwner: "ownership was offered to {pendingOwner}: {caller} cannot accept it",
  // Solidity's own
  Error: "{message}",
  Panic: "the contract panicked: {code}",
};

const PANICS: Readonly<Record<string, string>> = {
  "1": "assertion failed",
  "17": "arithmetic overflow or underflow",
  "18": "division by zero",
  "33": "a value is no member of its enum",
  "49": "pop from an empty array",
  "50": "array index out of bounds",
  "65": "out of memory",
};

const WORDS: Readonly<Record<string, (value: string) => string>> = {
  expiresAt: time,
  expiredAt: time,
  nowS: time,
  assignedWorker: (address) => (address === ZeroAddress ? "nobody" : address),
  status: (status) => ["running", "completed", "failed"][Number(status)] ?? status,
  code: (code) => PANICS[code] ?? `code ${code}`,
};

/**
 * Reads the data of a revert: any custom error of the contracts, `Error(string)` or `Panic(uint256)`.
 *
 * `undefined` when it is none of them, or when there is no data, as when a call runs out of gas or the
 * address has no code.
 *
 * @example
 * ```ts
 * import { decodeContractError } from "@subnet-worker/contracts";
 *
 * function isLost(data: string): boolean {
 *   return decodeContractError(data)?.name === "ActivityAlreadyClaimed";
 * }
 * ```
 */
export function decodeContractError(data: string): ContractRevert | undefined {
  // Shorter data, such as "0x", carry no selector.
  if (!/^0x[0-9a-f]{8}/i.test(data)) return undefined;
  let description: ErrorDescription | null;
  let values: unknown[];
  try {
    description = errors.parseError(data);
    // Arguments are decoded when they are first read, and only then found not to fit.
    values = [...(description?.args ?? [])];
  } catch {
    // A known selector with arguments that do not fit it: somebody else's error.
    return undefined;
  }
  if (description === null) return undefined;
  const { name } = description;
  const args = Object.fromEntries(
    description.fragment.inputs.map((input, index) => [
      input.name || BUILT_IN_PARAMETERS[name],
      values[index],
    ]),
  );
  return { name, args, message: sentence(name, args) };
}

// ethers knows Solidity's own two errors without the names of their parameters.
const BUILT_IN_PARAMETERS: Readonly<Record<string, string>> = { Error: "message", Panic: "code" };

function sentence(name: string, args: Readonly<Record<string, unknown>>): string {
  return (SENTENCES[name] ?? name).replaceAll(/\{(\w+)\}/g, (_, parameter: string) => {
    const value = String(args[parameter]);
    return WORDS[parameter]?.(value) ?? value;
  });
}

function time(seconds: string): string {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString();
}
