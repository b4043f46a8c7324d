import type { Clock } from "@subnet-worker/kit";
import type { DownloadGrant, Envelope, MultipartGrant, UploadGrant } from "@subnet-worker/protocol";
import { TransientFailure } from "./transfer-retry.ts";

/** A worker client's answer to what a run asked it for. */
export type WireGrant = UploadGrant | DownloadGrant | MultipartGrant;

interface Expected {
  readonly resolve: (grant: WireGrant) => void;
  readonly reject: (error: unknown) => void;
}

/** Matches the grants of one stream to the requests that wait for them. */
export class GrantDesk implements Disposable {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #expected = new Map<bigint, Expected>();
  #lastId = 0n;
  #isClosed = false;

  constructor({ clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number }) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** The number of a request whose answer nobody waits for. */
  nextId(): bigint {
    return ++this.#lastId;
  }

  /**
   * Numbers a request; `grant` is its answer. It rejects with a TransientFailure
   * when none comes in time or the stream ends, else with the signal's reason.
   */
  expect(signal: AbortSignal): { readonly requestId: bigint; readonly grant: Promise<WireGrant> } {
    const requestId = this.nextId();
    return { requestId, grant: this.#wait(requestId, signal) };
  }

  /** Takes a message if it is an answer. One that nobody waits for any more is dropped. */
  take(msg: Envelope["msg"]): boolean {
    switch (msg.case) {
      case "uploadGrant":
      case "downloadGrant":
      case "multipartGrant":
        this.#expected.get(msg.value.requestId)?.resolve(msg.value);
        return true;
      default:
        return false;
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const { reject } of this.#expected.values()) reject(new TransientFailure("the stream ended"));
  }

  async #wait(requestId: bigint, signal: AbortSignal): Promise<WireGrant> {
    signal.throwIfAborted();
    if (this.#isClosed) throw new TransientFailure("the stream ended");
    const { promise, resolve, reject } = Promise.withResolvers<WireGrant>();
    const onAbort = () => reject(signal.reason);
    using _ = this.#clock.timer(this.#timeoutMs, () =>
      reject(new TransientFailure(`the worker client did not answer within ${this.#timeoutMs} ms`)),
    );
    signal.addEventListener("abort", onAbort, { once: true });
    this.#expected.set(requestId, { resolve, reject });
    try {
      return await promise;
    } finally {
      this.#expected.delete(requestId);
      signal.removeEventListener("abort", onAbort);
    }
  }
}
