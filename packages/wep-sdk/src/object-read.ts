// One read of one object from its start to its end, over as many connections and URLs as it takes.
//
// 1. What was yielded is never yielded again: a further attempt goes on behind it.
// 2. All attempts read the same object: its ETag and size stay what the first reply said.
// 3. A read that ends has yielded every byte, and they are those that the store has, as far
//    as it says what it has.
import type { IncomingMessage } from "node:http";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import { DigestCheck, digestOfHead } from "./digest.ts";
import { type Identity, identityOf, refusalOf, sameIdentity, UrlRefused } from "./download-reply.ts";
import { isRetryableError, isTerminalError, RetryableError, TerminalError } from "./errors.ts";
import { displayUrl, readExcerpt, sendHttp } from "./http-request.ts";
import type { ObjectUrl } from "./object-url.ts";
import { noteSpent } from "./spent-bytes.ts";
import {
  createTransferRetry,
  type RetryDeps,
  type TransferRetry,
  TransientFailure,
} from "./transfer-retry.ts";

/** A bound, and what to tell who exceeds it. */
export interface SizeBound {
  readonly maxBytes: number;
  readonly advice: string;
}

/** A connection that could not be had, or broke. */
const BROKEN = { retryAfterMs: 0, isRefusal: false };

/** What arrived is not what is stored. */
export class DamagedError extends RetryableError {}

export class ObjectRead {
  readonly #url: ObjectUrl;
  readonly #bounds: readonly SizeBound[];
  readonly #deps: RetryDeps;
  readonly #retry: TransferRetry;
  #doneBytes = 0;
  #identity: Identity | undefined;
  #check: DigestCheck | undefined;
  /** Since the last byte of progress. */
  #hasRenewed = false;

  constructor(url: ObjectUrl, bounds: readonly SizeBound[], deps: RetryDeps) {
    this.#url = url;
    this.#bounds = bounds;
    this.#deps = deps;
    this.#retry = createTransferRetry(deps);
  }

  get doneBytes(): number {
    return this.#doneBytes;
  }

  /** `undefined` before the first reply, and where no reply says. */
  get totalBytes(): number | undefined {
    return this.#identity?.totalBytes;
  }

  /**
   * The bytes that no earlier call has yielded. After a failure that may pass, another
   * call goes on behind what was yielded.
   *
   * @throws {DamagedError} at the end, when it was not what the store has
   */
  async *chunks(): AsyncGenerator<Uint8Array> {
    this.#retry.progressed();
    while (!this.#isComplete) {
      try {
        for await (const chunk of this.#attempt()) {
          this.#retry.progressed();
          this.#hasRenewed = false;
          yield chunk;
        }
        break;
      } catch (error) {
        await this.#recover(error);
      }
    }
    const problem = this.#check?.problem();
    this.#check = undefined;
    if (problem !== undefined) throw this.#damaged(problem);
  }

  get #isComplete(): boolean {
    return this.#identity !== undefined && this.#identity.totalBytes === this.#doneBytes;
  }

  /** Waits where another attempt may help. @throws what there is to be thrown, else */
  async #recover(error: unknown): Promise<void> {
    this.#deps.signal.throwIfAborted();
    if (error instanceof UrlRefused) {
      // Once for whatever reason: keys may have been changed since the URL was signed.
      if (!error.isExpired && this.#hasRenewed) throw error.verdict;
      if (!(await this.#retry.waitBeforeRetry({ retryAfterMs: 0, isRefusal: true }))) throw error.verdict;
      if (!(await this.#renew())) throw error.verdict;
      return;
    }
    if (isTerminalError(error) || isRetryableError(error)) throw error;
    const failure = error instanceof TransientFailure ? error : BROKEN;
    if (!(await this.#retry.waitBeforeRetry(failure))) throw this.#exhausted(error);
  }

  /** Waits while nobody answers who could renew it: without that, the store would only refuse again. */
  async #renew(): Promise<boolean> {
    this.#hasRenewed = true;
    for (;;) {
      try {
        return await this.#url.renew();
      } catch (error) {
        if (!(error instanceof TransientFailure)) throw error;
        if (!(await this.#retry.waitBeforeRetry(error))) throw this.#exhausted(error);
      }
    }
  }

  /** What is there from here on. */
  async *#attempt(): AsyncGenerator<Uint8Array> {
    const { reply, url } = await this.#open();
    try {
      this.#identity = sameIdentity(this.#url.label, this.#identity, identityOf(reply, this.#doneBytes));
      this.#checkSize(this.#identity.totalBytes ?? 0);
      // A server that ignores ranges sends everything again.
      let skipBytes = reply.statusCode === 206 ? 0 : this.#doneBytes;
      if (this.#doneBytes === 0) this.#expectDigest(reply);
      for await (const chunk of reply as AsyncIterable<Buffer>) {
        const fresh = chunk.subarray(Math.min(skipBytes, chunk.byteLength));
        skipBytes -= chunk.byteLength - fresh.byteLength;
        if (fresh.byteLength > 0) yield this.#take(fresh);
      }
      const { totalBytes } = this.#identity;
      if (totalBytes !== undefined && this.#doneBytes < totalBytes)
        throw new TransientFailure(
          `${displayUrl(url)} ended after ${this.#doneBytes} of ${totalBytes} bytes`,
        );
    } finally {
      reply.destroy();
    }
  }

  #take(chunk: Buffer): Buffer {
    this.#doneBytes += chunk.byteLength;
    this.#checkSize(this.#doneBytes);
    this.#check?.update(chunk);
    // Once as it came from the socket, and once as HTTP's parser has copied it.
    noteSpent(2 * chunk.byteLength);
    return chunk;
  }

  /** ETags of servers that are no store of a worker client may be anything. */
  #expectDigest(reply: IncomingMessage): void {
    const expected = digestOfHead(reply.headers);
    const isTrusted = expected?.algorithm !== "md5" || this.#url.isBrokered;
    this.#check = expected !== undefined && isTrusted ? new DigestCheck(expected) : undefined;
  }

  async #open(): Promise<{ readonly reply: IncomingMessage; readonly url: string }> {
    const { signal, settings } = this.#deps;
    const { label } = this.#url;
    const url = await this.#url.current();
    const headers: Record<string, string> = { "accept-encoding": "identity" };
    if (this.#doneBytes > 0) headers["range"] = `bytes=${this.#doneBytes}-`;
    const { idleTimeoutMs } = settings;
    const reply = await sendHttp({ method: "GET", url, headers, signal, idleTimeoutMs });
    if (reply.statusCode === 200 || reply.statusCode === 206) return { reply, url };
    throw refusalOf({ label, url }, reply, await readExcerpt(reply));
  }

  #checkSize(sizeBytes: number): void {
    const exceeded = this.#bounds.find(({ maxBytes }) => sizeBytes > maxBytes);
    if (exceeded === undefined) return;
    throw new TerminalError(
      `[QUOTA_EXCEEDED] ${this.#url.label} has ${sizeBytes} bytes or more and ${exceeded.advice}`,
      { code: TASK_ERROR.QUOTA_EXCEEDED },
    );
  }

  #damaged(problem: string): DamagedError {
    return new DamagedError(
      `[NETWORK_ERROR] ${this.#url.label}: what arrived from ${displayUrl(this.#url.last)} is not what is stored: ` +
        `${problem}; if it happens again, the object is damaged in storage: write it again`,
      { code: TASK_ERROR.NETWORK_ERROR },
    );
  }

  #exhausted(cause: unknown): RetryableError {
    const detail = cause instanceof Error ? cause.message : String(cause);
    return new RetryableError(
      `[NETWORK_ERROR] ${this.#url.label}: gave up after ${this.#doneBytes} bytes from ${displayUrl(this.#url.last)}: ${detail}`,
      { code: TASK_ERROR.NETWORK_ERROR, cause },
    );
  }
}
