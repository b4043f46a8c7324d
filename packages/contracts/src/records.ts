import type { Result } from "ethers";

/** An activity as the TaskQueue answers it. Times are Unix seconds of the chain; data are 0x-hex. */
export interface Activity {
  readonly activityId: string;
  readonly workflowInstanceId: string;
  readonly activityType: string;
  /** The previous step's result, or the workflow's input at the first step. */
  readonly inputData: string;
  /** The workflow's input. */
  readonly initData: string;
  /** The result; the reason in UTF-8 when it failed; `0x` before. */
  readonly resultData: string;
  readonly createdAt: bigint;
  /** The lease is valid while the chain's time is below this. 0 before assignment. */
  readonly expiresAt: bigint;
  readonly requester: string;
  /** The zero address before assignment. */
  readonly assignedWorker: string;
  /** 0 before assignment. */
  readonly assignedAt: bigint;
  /** The claim counts as the first. 0 before assignment. */
  readonly lastHeartbeat: bigint;
  /** 0 to 100. */
  readonly progress: number;
  /** Stays true when the lease runs out, until somebody takes the activity over or releases it. */
  readonly isAssigned: boolean;
  /** Settled, in whichever way: completed, failed or withdrawn. */
  readonly isCompleted: boolean;
  readonly success: boolean;
}

/** What the SubnetControlPlane knows of a worker. All zero and false when it never registered. */
export interface Worker {
  readonly isRegistered: boolean;
  /** Registered, not deactivated, not suspended: it may claim. */
  readonly isActive: boolean;
  readonly isSuspended: boolean;
  /** How many activities it may hold at once. */
  readonly capacity: number;
  readonly activeCount: number;
  /** Unix seconds. */
  readonly registeredAt: bigint;
  readonly claimed: bigint;
  readonly completed: bigint;
  readonly failed: bigint;
  readonly expired: bigint;
}

/** A workflow instance as the WorkflowEngine answers it. Data are 0x-hex. */
export interface Workflow {
  /** Name and version, like `audio/1.0.0`. */
  readonly workflow: string;
  readonly status: WorkflowStatus;
  /** The step that is running, or the last one that was reached. */
  readonly currentStep: number;
  readonly stepCount: number;
  readonly input: string;
  /** Of the last step that succeeded; `0x` when none did. */
  readonly result: string;
  /** Empty unless failed. */
  readonly failureReason: string;
  readonly requester: string;
  /** Unix seconds. */
  readonly startedAt: bigint;
}

const WORKFLOW_STATUSES = ["running", "completed", "failed"] as const;
/** How a workflow instance stands. */
export type WorkflowStatus = (typeof WORKFLOW_STATUSES)[number];

const STEP_STATUSES = ["pending", "running", "succeeded", "failed", "skipped"] as const;
/** What became of a step of a workflow, or of its quorum. */
export type StepStatus = (typeof STEP_STATUSES)[number];

/** As ethers decodes it: every integer is a bigint, however small its type. */
type Decoded<T> = { readonly [K in keyof T]: T[K] extends number ? bigint : T[K] };

/**
 * Turns the tuple that `getActivity` and `pollActivity` answer into a plain object.
 *
 * @example
 * ```ts
 * import { type Activity, decodeActivity, taskQueueInterface } from "@subnet-worker/contracts";
 *
 * function readActivity(data: string): Activity {
 *   const [tuple] = taskQueueInterface.decodeFunctionResult("getActivity", data);
 *   return decodeActivity(tuple);
 * }
 * ```
 */
export function decodeActivity(tuple: Result): Activity {
  const fields = tuple.toObject() as Decoded<Activity>;
  return { ...fields, progress: Number(fields.progress) };
}

/** Turns the tuple that `getWorker` answers into a plain object. */
export function decodeWorker(tuple: Result): Worker {
  const fields = tuple.toObject() as Decoded<Worker>;
  return { ...fields, capacity: Number(fields.capacity), activeCount: Number(fields.activeCount) };
}

/** Turns the tuple that `getWorkflow` answers into a plain object. */
export function decodeWorkflow(tuple: Result): Workflow {
  const fields = tuple.toObject() as Decoded<Omit<Workflow, "status">> & { readonly status: bigint };
  return {
    ...fields,
    status: at(WORKFLOW_STATUSES, fields.status),
    currentStep: Number(fields.currentStep),
    stepCount: Number(fields.stepCount),
  };
}

/** The name of a step status number. */
export function decodeStepStatus(status: bigint): StepStatus {
  return at(STEP_STATUSES, status);
}

function at<T>(names: readonly T[], index: bigint): T {
  const name = names[Number(index)];
  if (name === undefined) throw new RangeError(`status ${index} is newer than this package`);
  return name;
}
