import type { Logger } from "@subnet-worker/kit";
import { isOwnObject } from "../domain/object-access.ts";
import { ObjectKeyError, showName, uploadKey } from "../domain/object-key.ts";
import type { Lease } from "../domain/task.ts";
import { checkMultipart, checkUpload } from "../domain/upload-rules.ts";
import type { Assignment, RunListener } from "../ports.ts";
import type {
  DownloadTicket,
  MultipartAnswer,
  MultipartStep,
  StorageBroker,
  UploadTicket,
  UploadWish,
} from "../storage-ports.ts";
import { runIdOf } from "./run-id.ts";
import type { TaskBook } from "./task-book.ts";

export interface TaskRunDeps {
  readonly book: TaskBook;
  readonly storage: StorageBroker | undefined;
  readonly logger: Logger;
}

/** One run as its executor speaks to it: what it reports, and the objects that it may have. */
export class TaskRun implements RunListener {
  readonly assignment: Assignment;
  readonly #lease: Pick<Lease, "token">;
  readonly #deps: TaskRunDeps;

  constructor(
    options: { readonly assignment: Assignment; readonly lease: Pick<Lease, "token"> },
    deps: TaskRunDeps,
  ) {
    this.assignment = options.assignment;
    this.#lease = options.lease;
    this.#deps = deps;
  }

  progress(percent: number, message: string, checkpointRef?: string): void {
    const { task, runId } = this.assignment;
    const { book, logger } = this.#deps;
    const current = book.get(task.id);
    if (current === undefined || !("run" in current.state) || current.state.run.id !== runId) return;
    const context = { activity_id: task.id, run_id: runId };
    logger.debug({ ...context, percent, progress: message }, "progress");
    void book.move(task.id, { kind: "progressed", percent, checkpointRef }).catch((error: unknown) => {
      logger.error({ ...context, err: error }, "progress could not be stored");
    });
  }

  async upload(wish: UploadWish): Promise<UploadTicket> {
    const storage = this.#storage();
    checkUpload(wish);
    const { name, ...object } = wish;
    return storage.uploadTicket(uploadKey(this.assignment.uploadPrefix, name), object);
  }

  async download(objectKey: string): Promise<DownloadTicket> {
    const storage = this.#storage();
    if (!this.isInput(objectKey) && !this.isOwn(objectKey)) {
      throw new ObjectKeyError(
        "outside",
        `${showName(objectKey)} is neither an input of this activity nor written by one of its runs, so this run may not read it`,
      );
    }
    return storage.downloadTicket(objectKey);
  }

  async multipart(step: MultipartStep): Promise<MultipartAnswer> {
    const storage = this.#storage();
    const objectKey = uploadKey(this.assignment.uploadPrefix, step.name);
    checkMultipart(step);
    switch (step.kind) {
      case "create":
        return { objectKey, uploadId: await storage.createMultipart(objectKey, step) };
      case "part": {
        const { uploadId, partNumber, sizeBytes, md5 } = step;
        const part = { partNumber, sizeBytes, ...(md5 === undefined ? {} : { md5 }) };
        return { objectKey, ticket: await storage.partTicket(objectKey, uploadId, part) };
      }
      case "complete":
        await storage.completeMultipart(objectKey, step.uploadId, step.parts);
        return { objectKey };
      default:
        await storage.abortMultipart(objectKey, step.uploadId);
        return { objectKey };
    }
  }

  /** Whether a key is one that the activity, or its workflow, was started with. */
  isInput(objectKey: string): boolean {
    const { inputs, workflowInputs } = this.assignment;
    return [inputs, workflowInputs].some((list) => list.some((input) => input.objectKey === objectKey));
  }

  /** Whether a key is of this run, or of an attempt before it under the same claim. */
  isOwn(objectKey: string): boolean {
    const { task } = this.assignment;
    const { id: taskId, workflowInstanceId } = task;
    return isOwnObject(objectKey, { taskId, workflowInstanceId }, (runId) => this.#isOwnRun(runId));
  }

  /** The ids follow from task, claim and attempt: the runs before this one need not be remembered. */
  #isOwnRun(runId: string): boolean {
    const { task, attempt } = this.assignment;
    if (runId === this.assignment.runId) return true;
    for (let earlier = attempt - 1; earlier >= 1; earlier -= 1) {
      if (runId === runIdOf({ taskId: task.id, token: this.#lease.token, attempt: earlier })) return true;
    }
    return false;
  }

  #storage(): StorageBroker {
    if (this.#deps.storage !== undefined) return this.#deps.storage;
    throw new ObjectKeyError(
      "no_storage",
      "this node has no object store configured; the operator sets [storage] in the WCP's configuration",
    );
  }
}
