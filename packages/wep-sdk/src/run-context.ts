import type { Logger } from "@subnet-worker/kit";
import type { ProgressOptions, RunContext, UploadBody, UploadedObject, UploadOptions } from "./context.ts";
import type { RunScope } from "./handler-call.ts";
import type { InputFile } from "./input-file.ts";
import type { DeclaredOutput } from "./outputs.ts";
import { newsOf } from "./progress.ts";
import type { InputValue } from "./values.ts";

/**
 * What the handler of one run sees of it. Getters, since most handlers use little
 * of it; they hand out bound functions, so that `{ progress, upload }` can be taken
 * out of it.
 */
export class ScopedRunContext implements RunContext {
  readonly workflowInput: Readonly<Record<string, InputValue>>;
  readonly #scope: RunScope;
  readonly #declared: readonly DeclaredOutput[];

  constructor(
    scope: RunScope,
    workflowInput: Readonly<Record<string, InputValue>>,
    declared: readonly DeclaredOutput[],
  ) {
    this.#scope = scope;
    this.workflowInput = workflowInput;
    this.#declared = declared;
  }

  get outputs(): readonly string[] {
    return this.#declared.map(({ name }) => name);
  }

  get activityId(): string {
    return this.#assignment.activityId;
  }

  get runId(): string {
    return this.#assignment.runId;
  }

  get workflowInstanceId(): string {
    return this.#assignment.workflowInstanceId;
  }

  get attempt(): number {
    // Peers of 1.0.0 do not count attempts.
    return Math.max(1, this.#assignment.attempt);
  }

  get kind(): string {
    return this.#assignment.taskKind;
  }

  get version(): string {
    return this.#assignment.taskVersion;
  }

  get log(): Logger {
    return this.#scope.source.log;
  }

  get signal(): AbortSignal {
    return this.#scope.stop.signal;
  }

  get deadlineMs(): number | undefined {
    const { softDeadlineUnix } = this.#assignment;
    return softDeadlineUnix > 0n ? Number(softDeadlineUnix) * 1_000 : undefined;
  }

  get deadline(): Date | undefined {
    const { deadlineUnixMs } = this.#assignment;
    return deadlineUnixMs > 0n ? new Date(Number(deadlineUnixMs)) : undefined;
  }

  get checkpoint(): string | undefined {
    const { checkpointRef } = this.#assignment;
    return checkpointRef === "" ? undefined : checkpointRef;
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.#assignment.metadata;
  }

  get progress(): RunContext["progress"] {
    const { source } = this.#scope;
    return (percent: number, message = "", { checkpoint }: ProgressOptions = {}) =>
      source.report(newsOf(percent, message, checkpoint));
  }

  get upload(): RunContext["upload"] {
    return (
      name: string,
      body: UploadBody,
      // Those who write JavaScript may leave them out; what is missing is then told as such.
      options?: UploadOptions,
    ): Promise<UploadedObject> =>
      this.#scope.transfers.upload({
        name,
        body,
        mediaType: options?.mediaType ?? "",
        onProgress: options?.onProgress,
      });
  }

  get download(): RunContext["download"] {
    return (objectKey: string): InputFile => this.#scope.transfers.download(objectKey);
  }

  get metrics(): RunContext["metrics"] {
    return this.#scope.tools.metrics;
  }

  get skip(): RunContext["skip"] {
    return (reason: string) => {
      this.#scope.skipReason = reasonOf(reason);
    };
  }

  get retry(): RunContext["retry"] {
    return this.#scope.tools.retry;
  }

  get timeLeftMs(): RunContext["timeLeftMs"] {
    return this.#scope.tools.timeLeftMs;
  }

  get within(): RunContext["within"] {
    return this.#scope.tools.within;
  }

  get saveCheckpoint(): RunContext["saveCheckpoint"] {
    return this.#scope.tools.saveCheckpoint;
  }

  get loadCheckpoint(): RunContext["loadCheckpoint"] {
    return this.#scope.tools.loadCheckpoint;
  }

  get scratchDir(): RunContext["scratchDir"] {
    return () => this.#scope.scratchDir();
  }

  get #assignment(): RunScope["source"]["assignment"] {
    return this.#scope.source.assignment;
  }
}

const MOST_REASON_CHARS = 4_096;

/** Those who write JavaScript may give anything, or nothing. */
function reasonOf(reason: unknown): string {
  return typeof reason === "string" ? reason.slice(0, MOST_REASON_CHARS) : "";
}
