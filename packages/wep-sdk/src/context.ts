import type { Logger } from "@subnet-worker/kit";
import type { InputFile, TransferProgress } from "./input-file.ts";
import type { HandlerMetrics } from "./handler-metrics.ts";
import type { RetryPolicy } from "./retry.ts";
import type { InputValue } from "./values.ts";

/**
 * What to upload: the bytes, a text (as UTF-8), a file on disk, or bytes that come by and
 * by. A stream is read once, and at most two parts of it, 8 MiB each, are in memory.
 */
export type UploadBody =
  | Uint8Array
  | string
  | { readonly path: string }
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

/** How `ctx.upload` writes an object. */
export interface UploadOptions {
  /** For example `image/png`. */
  readonly mediaType: string;
  /** Called when a part is with the store, which is at once all of a small body. Default nothing. */
  readonly onProgress?: (progress: TransferProgress) => void;
}

/** An object that `ctx.upload` has written. */
export interface UploadedObject {
  /** Full key in storage: return it as the value of an `*_object_key` output. */
  readonly objectKey: string;
  readonly sizeBytes: number;
  /** SHA-256 of the content, in lower-case hex. */
  readonly sha256: string;
}

/** What `ctx.progress` may say besides percentage and message. */
export interface ProgressOptions {
  /**
   * Where an attempt after this one could go on: an object key or a short text of the
   * handler's own. It stays the run's last until another is reported, and the next
   * attempt finds it as `ctx.checkpoint`.
   */
  readonly checkpoint?: string;
}

/** What a run may use besides its input. Its functions may be taken out of it. */
export interface RunContext {
  /** The activity, as its network names it. */
  readonly activityId: string;
  /** This attempt at it. */
  readonly runId: string;
  readonly workflowInstanceId: string;
  /** 1 for the first attempt of this activity by this node. */
  readonly attempt: number;
  readonly kind: string;
  readonly version: string;
  /** Writes JSON lines that carry `activity_id` and `run_id`. */
  readonly log: Logger;
  /**
   * Aborts when the run must stop; its reason is a `CancelledError`. Pass it on to
   * everything that waits, and call `signal.throwIfAborted()` in long loops. A
   * handler that ignores it is reported as cancelled after a short grace. In a thread
   * it is ended then; in the process its slot stays taken until it returns.
   */
  readonly signal: AbortSignal;
  /** Unix time in milliseconds at which the activity's lease ends unless renewed; `undefined`: none. */
  readonly deadlineMs: number | undefined;
  /** When a result is of no use to anybody any more, and the run is stopped; `undefined`: never. */
  readonly deadline: Date | undefined;
  /**
   * What an earlier attempt reported as its last checkpoint with `progress`; `undefined`: begin at the
   * beginning. What was saved with `saveCheckpoint` is read with `loadCheckpoint`.
   */
  readonly checkpoint: string | undefined;
  /** Trace context and correlation ids that came with the activity: `traceparent`, `tenant_id`, ... */
  readonly metadata: Readonly<Record<string, string>>;
  /** The workflow's own input, by parameter name; empty when the activity has no workflow. */
  readonly workflowInput: Readonly<Record<string, InputValue>>;
  /**
   * Names of the outputs that the activity's spec declares, in its order, for a handler that serves many specs:
   * the result must have these and no others. Empty: nobody says, and the result is what the handler returns.
   */
  readonly outputs: readonly string[];
  /**
   * Reports progress. Cheap: at most two a second travel and the last one wins.
   * The lease is kept alive without it.
   *
   * Await it in a loop that reports often: it resolves when the report is on its way
   * or merged into a newer one, which takes long only when the worker client does not
   * keep up. It never rejects, so it may also be left alone.
   *
   * @param percent 0 to 100; what lies outside is clamped, and what is no number leaves it as it was
   * @param message for people; 4096 characters of it travel
   * @throws {WepError} INVALID_CHECKPOINT, at once, for a checkpoint that is no text or has more than 65536 characters
   */
  progress(this: void, percent: number, message?: string, options?: ProgressOptions): PromiseLike<void>;
  /**
   * Writes one object below the run's prefix in storage, with checksums that the store
   * holds it against. Transient failures are retried, and what is above 32 MiB goes in
   * parts, each of which is sent again alone. An upload that is still under way when the
   * handler returns is ended: await it.
   *
   * @param name path below the prefix, for example `waveform.png`
   * @throws {TerminalError} INVALID_FORMAT for a name, body or media type that is none; PERMISSION_DENIED when the
   *   run may not write there, or the worker client brokers no storage; INVALID_INPUT when a file is not there, or changes while it is read; QUOTA_EXCEEDED for a stream of
   *   more than 117 GiB: write it to a file
   * @throws {RetryableError} NETWORK_ERROR when storage cannot be reached
   */
  upload(this: void, name: string, body: UploadBody, options: UploadOptions): Promise<UploadedObject>;
  /**
   * An object in storage that is no input of the run: what a run of the same activity has
   * written, for example before a checkpoint. Nothing is asked for before it is read.
   *
   * Reading it fails with a `TerminalError` PERMISSION_DENIED when the run may not, and
   * INVALID_INPUT when the worker client brokers no storage or there is no such object.
   */
  download(this: void, objectKey: string): InputFile;
  /**
   * Saves where another attempt could go on: any JSON value. The last one saved is what
   * `loadCheckpoint` of the next attempt finds, in place of one reported with `progress`.
   *
   * Up to 1 KiB of JSON travels with the progress of the run, which is thinned: a run that
   * dies within half a second of saving may find the one before. More is kept as an object
   * below the run's prefix, and is uploaded when the promise resolves.
   *
   * @throws {WepError} INVALID_CHECKPOINT for a value without a JSON form
   * @throws what {@link RunContext.upload} throws, for a large one
   */
  saveCheckpoint(this: void, value: unknown): Promise<void>;
  /**
   * What an earlier attempt saved last with `saveCheckpoint`; `undefined`: begin at the
   * beginning, as there is none, or it cannot be read any more, which is logged.
   *
   * `T` is taken on trust: it was JSON, and an older version of the handler may have saved it.
   *
   * @throws {RetryableError} NETWORK_ERROR when a large one is there and storage cannot be reached
   */
  loadCheckpoint<T = unknown>(this: void): Promise<T | undefined>;
  /**
   * {@link retry}, bound to the run: waiting ends with its signal, and no wait is begun that
   * would outlast it.
   */
  retry<T>(this: void, work: (attempt: number) => Promise<T> | T, policy?: RetryPolicy): Promise<T>;
  /** Until the run is stopped, by its timeout or because nobody wants its result any more. `Infinity`: never. */
  timeLeftMs(this: void): number;
  /**
   * A signal that aborts with the run's, and after `ms`, then with a `RetryableError` CONNECTION_TIMEOUT: for
   * one step that may not take longer.
   *
   * Costs nothing more when it has aborted or the handler has returned, and a loop may make one for each of
   * its steps: where more than 100 of a run wait, they share timers, and may abort by a 32nd of `ms` later.
   * `Infinity`: it aborts with the run's alone.
   *
   * @throws {WepError} INVALID_OPTION for what is no time
   */
  within(this: void, ms: number): AbortSignal;
  /**
   * Says that there was nothing to do: what the handler then returns is what there was before, or empty. The run
   * ends as SKIPPED in place of SUCCESS, in logs and metrics here and at the worker client. The activity is
   * completed with the outputs all the same, so they are held against its spec as ever; a handler that throws
   * has failed. Once is enough; of several calls the last reason stays.
   *
   * @param reason for people; 4096 characters of it are logged
   * @example
   * ```ts
   * import { defineHandler } from "@subnet-worker/wep-sdk";
   *
   * export const join = defineHandler<{ pages: readonly string[] }>({
   *   kind: "demo.join",
   *   version: "1.0.0",
   *   run({ pages }, ctx) {
   *     if (pages.length === 0) ctx.skip("no pages were given");
   *     return { text: pages.join("\n") };
   *   },
   * });
   * ```
   */
  skip(this: void, reason: string): void;
  /** Metrics of the handler's own, served by the worker's `/metrics`. */
  readonly metrics: HandlerMetrics;
  /** A directory of this run alone, made at the first call and removed when the handler has returned. */
  scratchDir(this: void): Promise<string>;
}
