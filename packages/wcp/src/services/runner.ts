import type { Logger } from "@subnet-worker/kit";
import { progressIntervalS } from "../domain/lease.ts";
import { uploadKey, uploadPrefix } from "../domain/object-key.ts";
import type { Lease, Run, Task } from "../domain/task.ts";
import type {
  AssignedInput,
  Assignment,
  RunListener,
  RunOutcome,
  Slot,
  StorageBroker,
  TaskInput,
  TaskSource,
  UploadTicket,
  UploadWish,
} from "../ports.ts";
import { runIdOf } from "./run-id.ts";
import type { TaskBook } from "./task-book.ts";

export interface RunnerDeps {
  readonly source: TaskSource;
  readonly book: TaskBook;
  /** Absent where no object store is configured: keys then travel as they are and nothing can be uploaded. */
  readonly storage: StorageBroker | undefined;
  readonly logger: Logger;
  /** What travels beside the task. Default: what its network gave. */
  readonly metadataOf?: ((task: Task) => Readonly<Record<string, string>>) | undefined;
}

const LOST: RunOutcome = { kind: "rejected", code: 5001, reason: "its lease was lost before it could start" };

/** Carries one task through one run on a slot. */
export class Runner {
  readonly #deps: RunnerDeps;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
  }

  /**
   * Assigns the task, or assigns it again under the same run id when it had one,
   * and follows the run to its end. Rejects with TaskDataError when the task's
   * own data cannot be read.
   */
  async run(task: Task, slot: Slot, signal: AbortSignal): Promise<RunOutcome> {
    const { lease, run } = nextRun(task, slot.executor);
    const data = await this.#deps.source.inputs(task);
    const inputs = await this.#presign(data.inputs);
    const workflowInputs = await this.#presign(data.workflowInputs);
    const assignment: Assignment = {
      task,
      runId: run.id,
      attempt: run.attempt,
      inputs,
      workflowInputs,
      uploadPrefix:
        this.#deps.storage === undefined ? "" : uploadPrefix(task.workflowInstanceId, task.id, run.id),
      leaseExpiresAtMs: lease.expiresAtMs,
      progressIntervalS: progressIntervalS(lease),
      checkpointRef: run.past?.checkpointRef,
      deadlineMs: task.traits?.deadlineMs,
      metadata: this.#deps.metadataOf?.(task) ?? task.traits?.metadata,
    };
    if (this.#deps.book.get(task.id) === undefined) return LOST; // while its inputs were being read
    await this.#deps.book.move(task.id, { kind: "assigned", run });
    return slot.run(assignment, this.#listener(assignment), signal);
  }

  async #presign(inputs: readonly TaskInput[]): Promise<readonly AssignedInput[]> {
    const { storage } = this.#deps;
    if (storage === undefined || !inputs.some(isStored)) return inputs;
    return Promise.all(
      inputs.map(async (input) => {
        if (!isStored(input)) return input;
        const { url, expiresAtMs: urlExpiresAtMs } = await storage.downloadTicket(input.objectKey);
        return { ...input, url, urlExpiresAtMs };
      }),
    );
  }

  #listener({ task, runId, uploadPrefix: prefix }: Assignment): RunListener {
    const { book, logger } = this.#deps;
    const context = { activity_id: task.id, run_id: runId };
    return {
      progress: (percent, message, checkpointRef) => {
        const current = book.get(task.id);
        if (current === undefined || !("run" in current.state) || current.state.run.id !== runId) return;
        logger.debug({ ...context, percent, progress: message }, "progress");
        void book.move(task.id, { kind: "progressed", percent, checkpointRef }).catch((error: unknown) => {
          logger.error({ ...context, err: error }, "progress could not be stored");
        });
      },
      upload: (wish) => this.#upload(prefix, wish),
      download: (objectKey) => Promise.reject(new Error(`${objectKey} may not be read by this run`)),
      multipart: ({ name }) => Promise.reject(new Error(`${name} may not be written in parts by this run`)),
    };
  }

  async #upload(prefix: string, wish: UploadWish): Promise<UploadTicket> {
    if (this.#deps.storage === undefined) {
      throw new Error(
        "this node has no object store configured; the operator sets [storage] in the WCP's configuration",
      );
    }
    return this.#deps.storage.uploadTicket(uploadKey(prefix, wish.name), wish);
  }
}

function isStored(input: TaskInput): input is TaskInput & { readonly objectKey: string } {
  return input.objectKey !== undefined && input.objectKey !== "";
}

function nextRun(task: Task, executor: string): { readonly lease: Lease; readonly run: Run } {
  const { state } = task;
  switch (state.kind) {
    case "claimed": {
      const { lease } = state;
      const attempt = state.attempts + 1;
      const id = runIdOf({ taskId: task.id, token: lease.token, attempt });
      const past = state.past === undefined ? {} : { past: state.past };
      return { lease, run: { id, attempt, executor, ...past } };
    }
    case "assigned":
    case "running":
      return { lease: state.lease, run: { ...state.run, executor } };
    default:
      throw new Error(`task ${task.id} is ${state.kind}, so it cannot run`);
  }
}
