const INPUT_FILE: unique symbol = Symbol.for("subnet-worker.wep-sdk.InputFile");

/** Largest file that `bytes()` reads unless told otherwise: 512 MiB. */
export const DEFAULT_MAX_BYTES: number = 512 * 1024 * 1024;

/**
 * An input that is an object in storage. Nothing is downloaded before it is read.
 *
 * Reading stops with the run's signal and survives transient network failures:
 * it waits, asks again and goes on where it stopped. What cannot be overcome is
 * thrown as a `TerminalError` (no such object, no access, too large) or a
 * `RetryableError` (URL expired, storage unreachable), which name the input and
 * its key; let it propagate.
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
  /** Presigned URL. It is a credential for this object: do not log or return it. */
  readonly url: string;
  /** The content from the start. Each call downloads anew. */
  stream(): ReadableStream<Uint8Array>;
  /**
   * The whole content.
   *
   * @throws {TerminalError} QUOTA_EXCEEDED above `maxBytes`, default {@link DEFAULT_MAX_BYTES}
   */
  bytes(options?: { readonly maxBytes?: number }): Promise<Uint8Array>;
  /** Writes the content to a file. The file appears at `path` only when it is complete. */
  saveTo(path: string): Promise<{ readonly sizeBytes: number }>;
}

/** Whether an input value is a file. */
export function isInputFile(value: unknown): value is InputFile {
  return typeof value === "object" && value !== null && (value as Partial<InputFile>)[INPUT_FILE] === true;
}

/** Puts the brand of {@link InputFile} on an implementation, for example a fake in a handler's own tests. */
export function createInputFile(file: Omit<InputFile, typeof INPUT_FILE>): InputFile {
  return { [INPUT_FILE]: true, ...file };
}
