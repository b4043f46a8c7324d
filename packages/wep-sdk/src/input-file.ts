const INPUT_FILE: unique symbol = Symbol.for("subnet-worker.wep-sdk.InputFile");

/** Largest file that `bytes()` reads unless told otherwise: 512 MiB. */
export const DEFAULT_MAX_BYTES: number = 512 * 1024 * 1024;

/** How far a read or an upload has come. */
export interface TransferProgress {
  readonly doneBytes: number;
  /** `undefined`: nobody has said yet, or nobody can. */
  readonly totalBytes: number | undefined;
}

/** How a read tells of itself. */
export interface ReadOptions {
  /** Called for each piece that arrives; what it throws ends the read. Default nothing. */
  readonly onProgress?: (progress: TransferProgress) => void;
}

/**
 * An input that is an object in storage. Nothing is downloaded before it is read.
 *
 * Reading stops with the run's signal and survives transient network failures:
 * it waits, asks again and goes on where it stopped. A URL whose time is over is
 * renewed, where the worker client brokers storage. What cannot be overcome is
 * thrown as a `TerminalError` (no such object, no access, too large) or a
 * `RetryableError` (URL expired, storage unreachable), which name the input and
 * its key; let it propagate.
 *
 * What arrives is held against what the store says of the object: its
 * `x-amz-meta-sha256`, else its `x-amz-checksum-sha256`, else its ETag where that is
 * an MD5. An object of which the store says none of them is taken as it comes.
 *
 * @example
 * ```ts
 * import { defineHandler, type InputFile } from "@subnet-worker/wep-sdk";
 *
 * export const size = defineHandler<{ recording: InputFile }>({
 *   kind: "demo.size",
 *   version: "1.0.0",
 *   async run({ recording }) {
 *     return { size_bytes: (await recording.bytes()).byteLength };
 *   },
 * });
 * ```
 */
export interface InputFile {
  readonly [INPUT_FILE]: true;
  /** Name of the input parameter. */
  readonly name: string;
  /** As the sender declared it; empty when it did not. */
  readonly mediaType: string;
  /** Key in storage; `undefined` when the worker client sent only a URL. */
  readonly objectKey: string | undefined;
  /**
   * Presigned URL, as it was last; empty for a file of `ctx.download` that was not read
   * yet. It is a credential for this object: do not log or return it.
   */
  readonly url: string;
  /**
   * The content from the start. Each call downloads anew. Content that arrived damaged
   * is a `RetryableError` NETWORK_ERROR at its end, after all of it: act on nothing before.
   */
  stream(options?: ReadOptions): ReadableStream<Uint8Array>;
  /**
   * The whole content; what arrives damaged is read again, three times at most.
   *
   * @throws {TerminalError} QUOTA_EXCEEDED above `maxBytes`, default {@link DEFAULT_MAX_BYTES}
   */
  bytes(options?: ReadOptions & { readonly maxBytes?: number }): Promise<Uint8Array>;
  /**
   * Writes the content to a file; what arrives damaged is read again, three times at
   * most. The file appears at `path` only when it is complete. Until then it is
   * `path` with `.part` behind it: after a `RetryableError`, another call of the same run
   * with the same path goes on where that one stopped.
   */
  saveTo(path: string, options?: ReadOptions): Promise<{ readonly sizeBytes: number }>;
}

/** Whether an input value is a file. */
export function isInputFile(value: unknown): value is InputFile {
  return typeof value === "object" && value !== null && (value as Partial<InputFile>)[INPUT_FILE] === true;
}

/** Puts the brand of {@link InputFile} on an implementation, for example a fake in a handler's own tests. */
export function createInputFile(file: Omit<InputFile, typeof INPUT_FILE>): InputFile {
  // Not spread: that would read a getter once and for all.
  const brand = { [INPUT_FILE]: true as const };
  return Object.defineProperties(brand, Object.getOwnPropertyDescriptors(file)) as InputFile;
}
